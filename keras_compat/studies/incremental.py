"""One network after the other instead of all at once (Sec. 4, "Joint vs. incremental")."""

from __future__ import annotations

from collections.abc import Iterator

from keras_compat.methods import UPPER_BOUND, method_name
from keras_compat.reporting import paper
from keras_compat.reporting.records import unique
from keras_compat.reporting.section import Section
from keras_compat.studies.analysis import Analysis
from keras_compat.studies.cells import Asked, Cell, Known
from keras_compat.studies.result_table import (
    Row,
    papers,
    published,
    result_table,
)

STUDY = "incremental"


def cells(known: Known, seed: int) -> list[Asked]:
    """Returns joint training, and incremental training with each network first once."""
    method = known.possible("iiw+rp+dcc")
    first = [Cell(method, seed, first=name) for name in known.networks]
    return list(map(Asked, [Cell(method, seed), *first, Cell(UPPER_BOUND, seed)]))


def sections(analysis: Analysis) -> Iterator[Section]:
    if not analysis.methods(STUDY):
        return
    rows = [row for method in analysis.methods(STUDY) for row in _rows(analysis, method)]
    theirs = {f"{published(analysis, STUDY)}: recombined, average": papers(rows)}
    text = (
        "One network is trained with its auxiliary heads first; these are frozen, and the other "
        "networks are trained with them. The orders, by which network was first, are averaged. In "
        "the paper this costs 4.0 points against joint training (from 76.7 to "
        "72.7 %, IIW+RP+DCC)."
    )
    yield Section(
        "Joint and incremental training (Sec. 4)",
        [text, *_losses(analysis)],
        [result_table(analysis, "training", rows, theirs)],
    )


def _rows(analysis: Analysis, method: str) -> list[Row]:
    name = method_name(method)
    keys = {"method": method, "scheme": "incremental"}
    rows = []
    if analysis.recombination(STUDY, method=method) is not None:
        theirs = paper.COMPATIBILITY_RECOMBINED.get(method)
        rows.append(Row(f"{name}, joint", STUDY, {"method": method}, theirs))
    records = analysis.find("recombination_accuracy", STUDY, first=None, **keys)
    orders = unique(records, "first")
    if len(orders) > 1:
        rows += [Row(f"{name}, {o} first", STUDY, {**keys, "first": o}) for o in orders]
    # The paper gives the average over the orders.
    theirs = paper.COMPATIBILITY_INCREMENTAL.get(method)
    return [*rows, Row(f"{name}, incremental", STUDY, {**keys, "first": None}, theirs)]


def _losses(analysis: Analysis) -> list[str]:
    losses = []
    for method in analysis.methods(STUDY):
        keys = {"method": method, "scheme": "incremental", "first": None}
        incremental = analysis.recombination(STUDY, **keys)
        joint = analysis.recombination(STUDY, method=method)
        if joint is not None and incremental is not None:
            points = 100 * (joint.mean - incremental.mean)
            what = "costs" if points >= 0 else "gains"
            losses.append(f"{what} {abs(points):.1f} points with {method_name(method)}")
    return [f"Here it {', '.join(losses)}."] if losses else []
