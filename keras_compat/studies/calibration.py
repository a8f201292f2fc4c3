"""Single images: accuracy by the number of images that moving statistics are taken on."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import TYPE_CHECKING

from keras_compat.methods import UPPER_BOUND, method_name
from keras_compat.reporting import figures
from keras_compat.reporting.figures import Series
from keras_compat.reporting.records import (
    Record,
    Summary,
    mean_by_seed,
    summarise,
    within_seeds,
)
from keras_compat.reporting.section import Section
from keras_compat.reporting.table import MISSING, Table, percent
from keras_compat.studies.analysis import Analysis
from keras_compat.studies.cells import Asked, Cell, Known
from keras_compat.studies.charts import chart

if TYPE_CHECKING:
    from keras_compat.studies.trained import Trained

STUDY = "calibration"
_METRIC = "recombination_accuracy_by_calibration_images"
# Stands for batch statistics in the place of a number of images.
_BATCH = "batch"

Curve = dict[int | str, list[Record]]
"""Records of one figure each, by number of images; last those of batch statistics."""


def cells(known: Known, seed: int) -> list[Asked]:
    measured = [Asked(Cell(method, seed), ("matrix", "calibration")) for method in known.methods]
    return [*measured, Asked(Cell(UPPER_BOUND, seed))]


def measure(trained: Trained) -> list[Record]:
    """Returns recombination accuracy on single images, by images that statistics are taken on."""
    from keras_compat.evaluation import by_calibration_images

    records = []
    for e, h in trained.pairs:
        examples, classes = trained.common_examples(e, h)
        curve = by_calibration_images(
            trained.networks[e].extractor,
            trained.networks[h].head,
            trained.datasets[e].train,
            examples,
            classes,
            batch_size=trained.batch_size,
        )
        keys = {"extractor": e, "head": h, "dataset": trained.datasets[e].name}
        records += [
            trained.record(_METRIC, value, images=count, **keys) for count, value in curve.items()
        ]
    return records


MEASURES = {"calibration": measure}


def sections(analysis: Analysis) -> Iterator[Section]:
    pairs = _pairs(analysis)
    if not pairs:
        return
    means = {
        method: _mean([c for (m, *_), c in pairs.items() if m == method])
        for method in dict.fromkeys(method for method, *_ in pairs)
    }
    counts = sorted({n for curve in pairs.values() for n in curve if n != _BATCH})
    text = (
        "A deployed network sees one image at a time and needs moving statistics. Those of "
        "training do not suit a recombined pair, so they are taken again, on so many training "
        "images of the extractor's data, without labels; beside them, what test batches reach by "
        "their own statistics. The difference is in points, with the most images that all pairs "
        "have."
    )
    header = [*(f"{n:,}" for n in counts), "test batches", "difference"]
    by_method = [[method_name(method), *_row(curve, counts)] for method, curve in means.items()]
    by_pair = [
        [f"{method_name(method)}: {e} with the head of {h}", *_row(curve, counts)]
        for (method, e, h), curve in pairs.items()
    ]
    yield Section(
        "Moving statistics by number of images",
        [text],
        [
            Table(["method, mean over pairs", *header], by_method),
            Table(["every pair", *header], by_pair),
        ],
        [
            chart(
                analysis,
                STUDY,
                figures.draw_lines,
                "calibration.png",
                "Single images: recombination accuracy by images for moving statistics",
                series=[Series(method_name(m), _points(curve)) for m, curve in means.items()],
                x_label="images without labels that statistics are taken on",
            )
        ],
    )


def _pairs(analysis: Analysis) -> dict[tuple[str, str, str], Curve]:
    found: dict[tuple[str, str, str], Curve] = {}
    for record in analysis.find(_METRIC, STUDY):
        pair = (record["method"], record["extractor"], record["head"])
        found.setdefault(pair, {}).setdefault(record["images"], []).append(record)
    for (method, e, h), curve in found.items():
        keys = {"method": method, "extractor": e, "head": h}
        curve[_BATCH] = analysis.find("recombination_accuracy", STUDY, **keys)
    return found


def _mean(curves: list[Curve]) -> Curve:
    """Returns the mean over pairs within each seed, where all pairs were measured."""
    shared = [n for n in curves[0] if all(n in curve for curve in curves)]
    return {n: mean_by_seed([r for curve in curves for r in curve[n]]) for n in shared}


def _row(curve: Curve, counts: list[int]) -> list[str]:
    found = [percent(summarise(curve[n])) if n in curve else MISSING for n in (*counts, _BATCH)]
    return [*found, _difference(curve)]


def _difference(curve: Curve) -> str:
    """Returns the points that the most images reach above batch statistics, within each seed."""
    most = max((n for n in curve if n != _BATCH), default=_BATCH)
    found = within_seeds(operator.sub, curve[most], curve[_BATCH])
    if found is None:
        return MISSING
    spread = f"±{100 * found.std:.1f}" if found.count > 1 else ""
    return f"{100 * found.mean:+.1f}{spread}"


def _points(curve: Curve) -> dict[str, Summary]:
    found = {n: summarise(records) for n, records in curve.items()}
    return {
        "batches" if n == _BATCH else f"{n:,}": summary
        for n, summary in found.items()
        if summary is not None
    }
