"""What needs no compatible training: baselines on the same networks."""

from __future__ import annotations

from functools import partial
from itertools import cycle

from keras_compat.reporting import figures
from keras_compat.reporting.compatibility_analysis.analysis import Analysis
from keras_compat.reporting.compatibility_analysis.charts import RECOMBINED, about, levels
from keras_compat.reporting.compatibility_analysis.names import method_name
from keras_compat.reporting.figures import Bars
from keras_compat.reporting.records import unique
from keras_compat.reporting.section import Picture, Section
from keras_compat.reporting.table import MISSING, Table, percent

STUDY = "baselines"

_NONE = "none, batch statistics"


def section(analysis: Analysis) -> Section | None:
    """Returns the section of the baselines, or `None` if there are none.

    Args:
        analysis: the records.

    Returns:
        The section.

    Example:

    >>> section(Analysis([{"metric": "step_time_s", "study": "cost", "value": 1}])) is None
    True
    """
    names = unique(analysis.all(STUDY, "recombination_accuracy"), "baseline")
    if not names:
        return None
    text = (
        "Each connects networks after they were trained, on the networks of the methods that head "
        "the columns: on independent networks it is what can be had without compatible training, "
        "on the others it is what is left to gain. Recombination accuracies in percent, the "
        "average over all pairs."
    )
    return Section(
        "Baselines that need no compatible training",
        [text],
        [_table(analysis, names)],
        [_picture(analysis, names)],
    )


def _table(analysis: Analysis, names: tuple[str, ...]) -> Table:
    methods = analysis.methods(STUDY)
    needs = {name: _needs(analysis, name) for name in names}
    known = any(text != MISSING for text in needs.values())
    rows = []
    for name in ("", *names):
        row = [percent(analysis.recombination(STUDY, method=m, baseline=name)) for m in methods]
        row += [needs.get(name, "nothing")] if known else []
        rows.append([_label(name), *row])
    header = ["baseline", *map(method_name, methods), *(["needs"] if known else [])]
    return Table(header, rows)


def _picture(analysis: Analysis, names: tuple[str, ...]) -> Picture:
    bars = [
        Bars(
            method_name(m),
            [analysis.recombination(STUDY, method=m, baseline=n) for n in ("", *names)],
            colour,
        )
        for m, colour in zip(analysis.methods(STUDY), cycle(figures.COLOURS), strict=False)
    ]
    title, subtitle = "Baselines on networks of several methods", about(analysis, STUDY)
    draw = partial(
        figures.draw_bars,
        across=True,
        groups=[_label(name) for name in ("", *names)],
        bars=bars,
        lines=levels(analysis, STUDY),
        title=title,
        subtitle=subtitle,
        scale=RECOMBINED,
    )
    return Picture("baselines.png", f"{title}: {subtitle}.", draw)


def _needs(analysis: Analysis, baseline: str) -> str:
    keys = {"baseline": baseline, "method": None}
    found = unique(analysis.find("recombination_accuracy", STUDY, **keys), "needs")
    return found[0] if found else MISSING


def _label(baseline: str) -> str:
    return baseline.replace("_", " ") or _NONE
