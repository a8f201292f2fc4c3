"""Normalization and its statistics (B.1, Fig. 6), and the batch size at inference."""

from __future__ import annotations

from functools import partial
from typing import Any

from keras_compat.reporting import figures, paper
from keras_compat.reporting.compatibility_analysis.analysis import AVERAGE, Analysis
from keras_compat.reporting.compatibility_analysis.charts import (
    RECOMBINED,
    about,
    bar_chart,
    levels,
)
from keras_compat.reporting.compatibility_analysis.names import method_name
from keras_compat.reporting.compatibility_analysis.result_table import (
    Row,
    cells,
    published,
    result_table,
)
from keras_compat.reporting.records import Summary, summarise, unique
from keras_compat.reporting.section import Picture, Section
from keras_compat.reporting.table import MISSING, Table, percent

STUDY = "normalization"

_STATISTICS = {
    "batch": "batch statistics",
    "moving": "moving statistics, as trained",
    "recalibrated": "statistics of the test set",
}
_FEATURES = {"unit_length": "features of unit length", "unit_length_loss": "loss for unit length"}
_BY_BATCH_SIZE = "recombination_accuracy_by_batch_size"


def section(analysis: Analysis) -> Section | None:
    """Returns the section of normalization, or `None` if it was not measured.

    Args:
        analysis: the records.

    Returns:
        The section.

    Example:

    >>> section(Analysis([{"metric": "step_time_s", "study": "cost", "value": 1}])) is None
    True
    """
    rows = _rows(analysis)
    curves = _curves(analysis)
    if not rows and not curves:
        return None
    text = (
        "Batch normalization with the statistics of the test batch (the standard here, in all "
        "other sections), with the moving statistics of training, and with statistics taken again "
        "on the test images without their labels; and other ways to keep features in range. The "
        "paper has 32.4 % with moving statistics (IIW+DCC), and finds batch statistics and those "
        "of the whole test set best. Compatibility is measured by networks with batch "
        "normalization, so what another normalization costs a network by itself is in it too."
    )
    if curves:
        text += (
            " By batch size, accuracies are of a sample of the test images; where the statistics "
            "are those of the test set, of all."
        )
    tables, pictures = [], []
    if rows:
        methods = [row.keys["method"] for row in rows]
        moving = [r.keys["statistics"] == "moving" for r in rows]
        theirs = cells(paper.COMPATIBILITY_MOVING_STATISTICS, methods)
        theirs = [c if m else MISSING for c, m in zip(theirs, moving, strict=True)]
        name = f"{published(analysis, STUDY)}: recombined, average"
        tables.append(result_table(analysis, "normalization", rows, {name: theirs}))
        pictures.append(_variants(analysis, rows))
    if curves:
        tables.append(_batch_size_table(curves))
        pictures.append(_batch_size_picture(analysis, curves))
    return Section("Normalization (B.1, Fig. 6)", [text], tables, pictures)


def _rows(analysis: Analysis) -> list[Row]:
    keys = ("method", "statistics", "normalization", "features")
    wanted = dict.fromkeys(keys)
    found = analysis.find("recombination_accuracy", STUDY, **wanted)
    standard = {"statistics": "batch", "normalization": "batch", "features": "plain"}
    methods = analysis.methods(STUDY)
    cases = dict.fromkeys(
        tuple(r.get(k, standard.get(k)) for k in keys) for r in found if r["method"] in methods
    )
    several = len(methods) > 1
    rows = []
    for case in cases:
        told = dict(zip(keys, case, strict=True))
        name = f"{method_name(told['method'])}: {_label(told)}" if several else _label(told)
        rows.append(Row(name, STUDY, told))
    return rows


def _label(keys: dict[str, Any]) -> str:
    """What differs from batch normalization with batch statistics, which has a name of its own."""
    parts = []
    if keys["normalization"] != "batch":
        parts.append(f"{keys['normalization']} normalization")
    elif keys["statistics"] != "batch" or keys["features"] == "plain":
        parts.append(_STATISTICS.get(keys["statistics"], keys["statistics"]))
    if keys["features"] != "plain":
        parts.append(_FEATURES.get(keys["features"], keys["features"]))
    return ", ".join(parts)


def _variants(analysis: Analysis, rows: list[Row]) -> Picture:
    theirs = None
    if analysis.on_papers_data(STUDY):
        theirs = {
            row.label: value
            for row in rows
            for method, value in paper.COMPATIBILITY_MOVING_STATISTICS.items()
            if row.keys["method"] == method and row.keys["statistics"] == "moving"
        }
    methods = ", ".join(map(method_name, unique([dict(r.keys) for r in rows], "method")))
    title = f"Normalization, {methods}"
    return bar_chart(
        analysis, "figure6.png", title, rows, published=theirs, own=True, horizontal=True
    )


def _curves(analysis: Analysis) -> dict[str, dict[int, Summary]]:
    """By method and statistics, accuracies by batch size."""
    keys = {"dataset": AVERAGE, "statistics": None, "method": None, "batch_size": None}
    found = analysis.find(_BY_BATCH_SIZE, STUDY, **keys)
    several = len(unique(found, "method")) > 1
    curves = {}
    for case in dict.fromkeys((r["method"], r.get("statistics", "batch")) for r in found):
        method, statistics = case
        label = _STATISTICS.get(statistics, statistics)
        label = f"{method_name(method)}: {label}" if several else label
        wanted = {**keys, "method": method, "statistics": statistics}
        sizes = sorted(unique(analysis.find(_BY_BATCH_SIZE, STUDY, **wanted), "batch_size"))
        curves[label] = {
            size: summarise(analysis.find(_BY_BATCH_SIZE, STUDY, **{**wanted, "batch_size": size}))
            for size in sizes
        }
    return curves


def _batch_size_table(curves: dict[str, dict[int, Summary]]) -> Table:
    sizes = sorted({size for curve in curves.values() for size in curve})
    rows = [[label, *(percent(curve.get(s)) for s in sizes)] for label, curve in curves.items()]
    return Table(["recombined, images in a batch", *map(str, sizes)], rows)


def _batch_size_picture(analysis: Analysis, curves: dict[str, dict[int, Summary]]) -> Picture:
    title, subtitle = "Recombination accuracy by batch size at inference", about(analysis, STUDY)
    # What does not depend on the size is measured once, and is a level.
    constant = {
        label: value
        for label, curve in curves.items()
        if len(curve) == 1
        for value in curve.values()
    }
    series = [figures.Series(name, c) for name, c in curves.items() if name not in constant]
    if len(series) == 1:
        title += f", {series[0].label}"
    draw = partial(
        figures.draw_lines,
        series=series,
        lines=[
            *levels(analysis, STUDY),
            *(figures.Line(name, v.mean, "-.") for name, v in constant.items()),
        ],
        title=title,
        subtitle=subtitle,
        x_label="images in a batch at inference",
        scale=RECOMBINED,
        doubling=True,
    )
    return Picture("batch_size.png", f"{title}: {subtitle}.", draw)
