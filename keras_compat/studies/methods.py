"""Recombination accuracy by method (Sec. 4, Fig. 2) and by data set (B.5, Fig. 10)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from keras_compat.methods import (
    INDEPENDENT,
    UPPER_BOUND,
    UPPER_BOUND_WITHOUT_ROTATION,
    method_name,
)
from keras_compat.reporting import paper
from keras_compat.reporting.records import Record, Summary
from keras_compat.reporting.section import Picture, Section
from keras_compat.reporting.shown import picture_names
from keras_compat.reporting.table import Table, number, percent
from keras_compat.studies import correlation
from keras_compat.studies import matrix as matrices
from keras_compat.studies.analysis import AVERAGE, METHODS, Analysis
from keras_compat.studies.cells import Asked, Cell, Known
from keras_compat.studies.charts import bar_chart
from keras_compat.studies.result_table import (
    method_rows,
    papers,
    percents,
    published,
    result_table,
    summary,
)

if TYPE_CHECKING:
    from keras_compat.studies.trained import Trained

TITLE = "Recombination accuracy by method (Sec. 4, Fig. 2; B.5, Fig. 10)"


def main_table(analysis: Analysis, with_paper: bool = True) -> Table:
    """Returns the main table: every method and the upper bounds."""
    rows = method_rows(analysis, METHODS, bounds=True)
    methods = [row.keys["method"] for row in rows]
    theirs = published(analysis, METHODS)
    bound = paper.COMPATIBILITY_UPPER_BOUND
    ratios = {m: v / bound for m, v in paper.COMPATIBILITY_RECOMBINED.items()}
    own = percents(paper.COMPATIBILITY_OWN, methods)
    if UPPER_BOUND_WITHOUT_ROTATION in methods:
        # The paper gives the difference.
        gain = paper.COMPATIBILITY_ROTATION_HEAD
        told = f"{100 * (bound - gain):.1f} ({100 * bound:.1f} - {100 * gain:.1f})"
        own[methods.index(UPPER_BOUND_WITHOUT_ROTATION)] = told
    extra = {
        f"{theirs}: recombined, average": papers(rows),
        f"{theirs}: own head": own,
        f"{theirs}: compatibility": [number(summary(ratios.get(m))) for m in methods],
    }
    return result_table(analysis, "method", rows, extra if with_paper else {})


def cells(known: Known, seed: int) -> list[Asked]:
    """Returns every method beside both upper bounds.

    Without a rotation head the bound is independent training, which serves for both.
    """
    bounds = [UPPER_BOUND]
    if INDEPENDENT not in known.methods:
        bounds.append(UPPER_BOUND_WITHOUT_ROTATION)
    methods = (*known.methods, *bounds)
    return [Asked(Cell(method, seed), ("matrix", "correlation")) for method in methods]


def matrix(trained: Trained) -> list[Record]:
    """Returns every extractor with every head, and each network with its own (Sec. 4)."""
    from keras_compat.evaluation import own_accuracies

    found = trained.matrix()
    records = trained.recombined(found)
    own = own_accuracies(trained.extractors, trained.heads, **trained.evaluated)
    # On all of its classes a network chooses among all; on the common ones as its partners do.
    every = {name: found[name, name] for name in trained.networks}
    common = {name: np.mean([v for (e, _), v in own.items() if e == name]) for name in every}
    for subset, values in (("all", every), ("common", common)):
        for name, value in values.items():
            keys = {"network": name, "dataset": trained.datasets[name].name, "subset": subset}
            records.append(trained.record("own_accuracy", value, **keys))
        keys = {"dataset": AVERAGE, "subset": subset}
        records.append(trained.record("own_accuracy", np.mean(list(values.values())), **keys))
    chance = np.mean([1 / len(trained.common_classes(e, h)) for e, h in trained.pairs])
    return [*records, trained.record("chance", chance)]


MEASURES = {"matrix": matrix, "correlation": correlation.measure}


def sections(analysis: Analysis) -> Iterator[Section]:
    if not analysis.methods(METHODS):
        return
    yield Section(TITLE, _text(analysis), [main_table(analysis)], _pictures(analysis))
    yield from matrices.sections(analysis)


def _pictures(analysis: Analysis) -> list[Picture]:
    rows = method_rows(analysis, METHODS)
    title = "Recombination accuracy by method"
    pictures = [
        bar_chart(
            analysis,
            "figure2.png",
            title,
            rows,
            published=analysis.on_papers_data(METHODS),
            both_bounds=True,
        )
    ]
    networks = analysis.networks(METHODS)
    for network, name in zip(networks, picture_names([(n,) for n in networks]), strict=True):
        pictures.append(
            bar_chart(
                analysis,
                f"figure10_{name}.png",
                f"{title}, extractor and test images of {network}",
                rows,
                network=network,
                both_bounds=True,
            )
        )
    return pictures


def _text(analysis: Analysis) -> list[str]:
    measured = {
        m: found
        for m in analysis.methods(METHODS)
        if (found := analysis.recombination(METHODS, method=m)) is not None
    }
    if not measured:
        return []
    best = max(measured, key=lambda m: measured[m].mean)
    text = f"{method_name(best)} reaches {percent(measured[best])} % recombined"
    compatibility = analysis.compatibility(METHODS, method=best)
    if compatibility is not None:
        text += f", {number(compatibility)} of the upper bound"
    if "independent" in measured and best != "independent":
        text += f"; independent training reaches {percent(measured['independent'])} %"
    chance = analysis.chance(METHODS)
    text += f"; chance is {100 * chance:.1f} %." if chance is not None else "."
    if best in paper.COMPATIBILITY_RECOMBINED:
        text += (
            f" The paper has {100 * paper.COMPATIBILITY_RECOMBINED[best]:.1f} % for "
            f"{method_name(best)}, {100 * paper.COMPATIBILITY_RECOMBINED['independent']:.1f} % for "
            f"independent, and an upper bound of {100 * paper.COMPATIBILITY_UPPER_BOUND:.1f} %."
        )
    return [text, *_own_heads(analysis, best), *_rotation_heads(analysis)]


def _own_heads(analysis: Analysis, method: str) -> list[str]:
    own = analysis.own(METHODS, subset="all", method=method)
    bound = analysis.own(METHODS, subset="all", method=analysis.higher_bound(METHODS))
    if own is None or bound is None:
        return []
    theirs = paper.COMPATIBILITY_OWN["iiw+rp+dcc"]
    gain = 100 * (theirs - paper.COMPATIBILITY_UPPER_BOUND)
    return [
        "With their own heads and on all their classes, networks of "
        f"{method_name(method)} reach {percent(own)} % on average, {_difference(own, bound)} the "
        f"upper bound's {percent(bound)} % (the paper: {100 * theirs:.1f} %, {gain:.1f} points "
        "above, with IIW+RP+DCC)."
    ]


def _rotation_heads(analysis: Analysis) -> list[str]:
    bound = analysis.upper_bound(METHODS, method=UPPER_BOUND)
    without = analysis.upper_bound(METHODS, method=UPPER_BOUND_WITHOUT_ROTATION)
    if bound is None or without is None:
        return []
    return [
        "A rotation head of its own, which makes nothing compatible, puts the upper bound "
        f"{_difference(bound, without)} training without one (the paper: "
        f"{100 * paper.COMPATIBILITY_ROTATION_HEAD:.1f} points above)."
    ]


def _difference(a: Summary, b: Summary) -> str:
    points = 100 * (a.mean - b.mean)
    return f"{abs(points):.1f} points {'above' if points >= 0 else 'below'}"
