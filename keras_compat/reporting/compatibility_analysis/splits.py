"""Where the network is split into extractor and head (B.3, Fig. 8)."""

from __future__ import annotations

from functools import partial

from keras_compat.reporting import figures
from keras_compat.reporting.compatibility_analysis.analysis import Analysis
from keras_compat.reporting.compatibility_analysis.charts import RECOMBINED, about, levels
from keras_compat.reporting.compatibility_analysis.names import method_name
from keras_compat.reporting.compatibility_analysis.result_table import Row, result_table
from keras_compat.reporting.records import unique
from keras_compat.reporting.section import Picture, Section

STUDY = "splits"


def section(analysis: Analysis) -> Section | None:
    """Returns the section of the split points, or `None` if they were not measured.

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
    rows = [
        Row(f"{method_name(m)}: {split}", STUDY, {"method": m, "split": split})
        for m in methods
        for split in _splits(analysis, m)
    ]
    text = (
        "The network is split after the layer or block that is named. In the paper (IIW+RP, "
        "ResNet-56, mean of five runs) later splits are slightly less compatible up to the first "
        "block of stage 3, and considerably less from there on; its values are in a plot only."
    )
    return Section(
        "Where to split (B.3, Fig. 8)",
        [text],
        [result_table(analysis, "split after", rows)],
        [_picture(analysis)],
    )


def _splits(analysis: Analysis, method: str) -> tuple[str, ...]:
    """The split points in the order in which they were measured."""
    found = analysis.find("recombination_accuracy", STUDY, split=None, method=method)
    return unique(found, "split")


def _picture(analysis: Analysis) -> Picture:
    series = []
    for method in analysis.methods(STUDY):
        points = {
            split: analysis.recombination(STUDY, method=method, split=split)
            for split in _splits(analysis, method)
        }
        series.append(figures.Series(method_name(method), points))
    title, subtitle = "Recombination accuracy by split point", about(analysis, STUDY)
    if len(series) == 1:
        title += f", {series[0].label}"
    draw = partial(
        figures.draw_lines,
        series=series,
        lines=levels(analysis, STUDY),
        title=title,
        subtitle=subtitle,
        x_label="last part of the extractor",
        scale=RECOMBINED,
    )
    return Picture("figure8.png", f"{title}: {subtitle}.", draw)
