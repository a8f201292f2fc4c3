"""What moves rotation prediction: the run's own setting beside changed ones."""

from __future__ import annotations

from functools import partial
from itertools import cycle

from keras_compat.reporting import figures
from keras_compat.reporting.compatibility_analysis.analysis import Analysis
from keras_compat.reporting.compatibility_analysis.charts import RECOMBINED, about, levels
from keras_compat.reporting.compatibility_analysis.names import method_name
from keras_compat.reporting.compatibility_analysis.result_table import Row, result_table
from keras_compat.reporting.figures import Bars
from keras_compat.reporting.section import Picture, Section
from keras_compat.reporting.table import number

STUDY = "rotation"


def section(analysis: Analysis) -> Section | None:
    """Returns the section of rotation's variants, or `None` if they were not measured.

    Args:
        analysis: the records.

    Returns:
        The section.

    Example:

    >>> section(Analysis([{"metric": "step_time_s", "study": "cost", "value": 1}])) is None
    True
    """
    methods = analysis.methods(STUDY)
    if not methods:
        return None
    rows = [_row(m, v) for m in methods for v in _variants(analysis)]
    text = (
        "RP is the most general of the methods, since it needs no common classes. Each row changes "
        "one thing of the run's own setting. Compatibility is measured by the upper bound of the "
        "setting unchanged; what changes the networks' own accuracy too shows in the last column, "
        "recombined by own accuracy on the common classes."
    )
    kept = [number(analysis.kept(row.study, **row.keys)) for row in rows]
    return Section(
        "What moves rotation prediction",
        [text],
        [result_table(analysis, "changed", rows, {"recombined / own head": kept})],
        [_picture(analysis)],
    )


def _variants(analysis: Analysis) -> list[str]:
    """What was changed, the run's own setting first."""
    found = analysis.find("recombination_accuracy", STUDY, variant=None, method=None)
    return list(dict.fromkeys(["", *(r.get("variant", "") for r in found)]))


def _row(method: str, variant: str) -> Row:
    label = f"{method_name(method)}: {variant or 'nothing'}"
    return Row(label, STUDY, {"method": method, "variant": variant})


def _picture(analysis: Analysis) -> Picture:
    variants = _variants(analysis)
    bars = []
    for method, colour in zip(analysis.methods(STUDY), cycle(figures.COLOURS), strict=False):
        rows = [_row(method, variant) for variant in variants]
        values = [analysis.recombination(row.study, **row.keys) for row in rows]
        bars.append(Bars(method_name(method), values, colour))
    title, subtitle = "What moves rotation prediction", about(analysis, STUDY)
    draw = partial(
        figures.draw_bars,
        across=True,
        groups=[variant or "nothing changed" for variant in variants],
        bars=bars,
        lines=levels(analysis, STUDY),
        title=title,
        subtitle=subtitle,
        scale=RECOMBINED,
    )
    return Picture("rotation.png", f"{title}: {subtitle}.", draw)
