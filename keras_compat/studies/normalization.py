"""Normalization and its statistics (B.1, Fig. 6), and the batch size at inference."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_compat.methods import UPPER_BOUND, method_name
from keras_compat.reporting import figures, paper
from keras_compat.reporting.records import Record, Summary, summarise, unique
from keras_compat.reporting.section import Picture, Section
from keras_compat.reporting.table import Table, percent
from keras_compat.studies.analysis import AVERAGE, Analysis
from keras_compat.studies.cells import Asked, Cell, Known
from keras_compat.studies.charts import bar_chart, chart, levels
from keras_compat.studies.result_table import (
    Row,
    papers,
    published,
    result_table,
)

if TYPE_CHECKING:
    from keras_compat.studies.trained import Trained

STUDY = "normalization"

_STATISTICS = {
    "batch": "batch statistics",
    "moving": "moving statistics, as trained",
    "recalibrated": "statistics of the test set",
}
_FEATURES = {"unit_length": "features of unit length", "unit_length_loss": "loss for unit length"}
_BY_BATCH_SIZE = "recombination_accuracy_by_batch_size"


def cells(known: Known, seed: int) -> list[Asked]:
    method = known.possible("iiw+dcc")
    others = [
        *(Cell(method, seed, normalization=name) for name in ("layer", "instance")),
        *(Cell(method, seed, features=name) for name in _FEATURES),
        Cell(UPPER_BOUND, seed),
    ]
    measured = Asked(Cell(method, seed), ("matrix", "statistics", "batch_sizes"))
    return [measured, *map(Asked, others)]


def statistics(trained: Trained) -> list[Record]:
    """Returns accuracies by moving statistics, as trained and as taken again on test images."""
    records = []
    for mode in ("moving", "recalibrated"):
        records += trained.recombined(trained.matrix(mode), statistics=mode)
    return records


def batch_sizes(trained: Trained) -> list[Record]:
    """Returns recombination accuracy by the number of images in a batch at inference."""
    from keras_compat.evaluation import by_batch_size

    curves = [
        by_batch_size(
            trained.networks[e].extractor,
            trained.networks[h].head,
            *trained.common_examples(e, h),
            seed=trained.cell.seed,
        )
        for e, h in trained.pairs
    ]
    # A small set has no large batches.
    sizes = [size for size in curves[0] if all(size in curve for curve in curves)]
    values = {("batch", size): np.mean([curve[size] for curve in curves]) for size in sizes}
    # Images do not influence each other then: one size says all.
    again = trained.matrix("recalibrated")
    values["recalibrated", 1] = np.mean([again[pair] for pair in trained.pairs])
    return [
        trained.record(_BY_BATCH_SIZE, value, batch_size=size, statistics=mode, dataset=AVERAGE)
        for (mode, size), value in values.items()
    ]


MEASURES = {"statistics": statistics, "batch_sizes": batch_sizes}


def sections(analysis: Analysis) -> Iterator[Section]:
    rows = _rows(analysis)
    curves = _curves(analysis)
    if not rows and not curves:
        return
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
        theirs = {f"{published(analysis, STUDY)}: recombined, average": papers(rows)}
        tables.append(result_table(analysis, "normalization", rows, theirs))
        pictures.append(_variants(analysis, rows))
    if curves:
        tables.append(_batch_size_table(curves))
        pictures.append(_batch_size_picture(analysis, curves))
    yield Section("Normalization (B.1, Fig. 6)", [text], tables, pictures)


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
        known = paper.COMPATIBILITY_MOVING_STATISTICS if told["statistics"] == "moving" else {}
        rows.append(Row(name, STUDY, told, known.get(told["method"])))
    return rows


def _label(keys: dict[str, Any]) -> str:
    """Returns what differs from batch normalization with batch statistics, or names these."""
    parts = []
    if keys["normalization"] != "batch":
        parts.append(f"{keys['normalization']} normalization")
    elif keys["statistics"] != "batch" or keys["features"] == "plain":
        parts.append(_STATISTICS.get(keys["statistics"], keys["statistics"]))
    if keys["features"] != "plain":
        parts.append(_FEATURES.get(keys["features"], keys["features"]))
    return ", ".join(parts)


def _variants(analysis: Analysis, rows: list[Row]) -> Picture:
    methods = ", ".join(map(method_name, unique([dict(r.keys) for r in rows], "method")))
    title = f"Normalization, {methods}"
    published = analysis.on_papers_data(STUDY)
    return bar_chart(
        analysis, "figure6.png", title, rows, published=published, own=True, horizontal=True
    )


def _curves(analysis: Analysis) -> dict[str, dict[int, Summary]]:
    """Returns accuracies by batch size, for each method and statistics."""
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
    title = "Recombination accuracy by batch size at inference"
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
    return chart(
        analysis,
        STUDY,
        figures.draw_lines,
        "batch_size.png",
        title,
        series=series,
        lines=[
            *levels(analysis, STUDY),
            *(figures.Line(name, v.mean, "-.") for name, v in constant.items()),
        ],
        x_label="images in a batch at inference",
        doubling=True,
    )
