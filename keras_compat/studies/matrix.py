"""The whole matrix of a method: each extractor with each head."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from keras_compat.methods import method_name
from keras_compat.reporting import figures
from keras_compat.reporting.records import Summary, summarise
from keras_compat.reporting.section import Picture, Section
from keras_compat.reporting.table import Table, percent
from keras_compat.studies.analysis import METHODS, Analysis
from keras_compat.studies.charts import about

Matrix = list[list[Summary | None]]


def sections(analysis: Analysis) -> Iterator[Section]:
    methods = [m for m in analysis.methods(METHODS) if any(map(any, _matrix(analysis, m)))]
    if not methods:
        return
    networks = analysis.networks(METHODS)
    matrices = {m: _matrix(analysis, m) for m in methods}
    rows = [
        [f"{method_name(m)}: extractor of {network}", *map(percent, cells)]
        for m, matrix in matrices.items()
        for network, cells in zip(networks, matrix, strict=True)
    ]
    draw = partial(
        figures.draw_heat_maps,
        rows=networks,
        columns=networks,
        maps=[figures.HeatMap(method_name(m), matrix) for m, matrix in matrices.items()],
        title="Every extractor with every head",
        subtitle=about(analysis, METHODS),
        row_label="extractor, images of",
        column_label="head of",
    )
    yield Section(
        "Every extractor with every head",
        [
            "The test images are those of the extractor's data set; on the diagonal are networks "
            "with their own heads, on the same classes."
        ],
        [Table(["extractor", *(f"head of {n}" for n in networks)], rows)],
        [Picture("matrix.png", "Accuracy of every extractor with every head.", draw)],
    )


def _matrix(analysis: Analysis, method: str) -> Matrix:
    networks = analysis.networks(METHODS)
    return [[_cell(analysis, method, e, h) for h in networks] for e in networks]


def _cell(analysis: Analysis, method: str, extractor: str, head: str) -> Summary | None:
    if extractor == head:
        return analysis.own(METHODS, extractor, method=method)
    keys = {"extractor": extractor, "head": head, "method": method}
    return summarise(analysis.find("recombination_accuracy", METHODS, **keys))
