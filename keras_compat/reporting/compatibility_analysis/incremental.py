"""One network after the other instead of all at once (Sec. 4, "Joint vs. incremental")."""

from __future__ import annotations

from keras_compat.reporting import paper
from keras_compat.reporting.compatibility_analysis.analysis import Analysis
from keras_compat.reporting.compatibility_analysis.names import method_name
from keras_compat.reporting.compatibility_analysis.result_table import (
    Row,
    cells,
    published,
    result_table,
)
from keras_compat.reporting.records import unique
from keras_compat.reporting.section import Section

STUDY = "incremental"


def section(analysis: Analysis) -> Section | None:
    """Returns the section of incremental training, or `None` if it was not measured.

    Args:
        analysis: the records.

    Returns:
        The section.

    Example:

    >>> section(Analysis([{"metric": "step_time_s", "study": "cost", "value": 1}])) is None
    True
    """
    if not analysis.methods(STUDY):
        return None
    rows: list[Row] = []
    theirs: list[str] = []
    for method in analysis.methods(STUDY):
        of_method = _rows(analysis, method)
        rows += of_method
        # The last row is the average over the orders, which the paper gives.
        theirs += ["-"] * (len(of_method) - 1) + cells(paper.COMPATIBILITY_INCREMENTAL, [method])
        if "scheme" not in of_method[0].keys:
            theirs[-len(of_method)] = cells(paper.COMPATIBILITY_RECOMBINED, [method])[0]
    text = (
        "One network is trained with its auxiliary heads first; these are frozen, and the other "
        "networks are trained with them. The orders, by which network was first, are averaged. In "
        "the paper this costs 4.0 points against joint training (from 76.7 to "
        "72.7 %, IIW+RP+DCC)."
    )
    return Section(
        "Joint and incremental training (Sec. 4)",
        [text, *_losses(analysis)],
        [
            result_table(
                analysis,
                "training",
                rows,
                {f"{published(analysis, STUDY)}: recombined, average": theirs},
            )
        ],
    )


def _rows(analysis: Analysis, method: str) -> list[Row]:
    name = method_name(method)
    keys = {"method": method, "scheme": "incremental"}
    rows = []
    if analysis.recombination(STUDY, method=method) is not None:
        rows.append(Row(f"{name}, joint", STUDY, {"method": method}))
    records = analysis.find("recombination_accuracy", STUDY, first=None, **keys)
    orders = unique(records, "first")
    if len(orders) > 1:
        rows += [Row(f"{name}, {o} first", STUDY, {**keys, "first": o}) for o in orders]
    return [*rows, Row(f"{name}, incremental", STUDY, {**keys, "first": None})]


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
