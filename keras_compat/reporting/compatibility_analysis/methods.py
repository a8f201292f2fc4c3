"""Recombination accuracy by method (Sec. 4, Fig. 2) and by data set (B.5, Fig. 10)."""

from __future__ import annotations

from keras_compat.reporting import paper
from keras_compat.reporting.compatibility_analysis.analysis import METHODS, Analysis
from keras_compat.reporting.compatibility_analysis.charts import bar_chart
from keras_compat.reporting.compatibility_analysis.names import (
    UPPER_BOUND,
    UPPER_BOUND_WITHOUT_ROTATION,
    method_name,
)
from keras_compat.reporting.compatibility_analysis.result_table import (
    cells,
    method_rows,
    published,
    result_table,
    summary,
)
from keras_compat.reporting.records import Summary
from keras_compat.reporting.section import Picture, Section
from keras_compat.reporting.shown import picture_names
from keras_compat.reporting.table import Table, number, percent

TITLE = "Recombination accuracy by method (Sec. 4, Fig. 2; B.5, Fig. 10)"


def main_table(analysis: Analysis, with_paper: bool = True) -> Table:
    """Returns the main table: every method and the upper bounds.

    Args:
        analysis: the records.
        with_paper: whether the paper's figures are at the end.

    Returns:
        Accuracies in percent.

    Example:

    >>> record = {"metric": "recombination_accuracy", "study": "methods", "method": "rp",
    ...           "extractor": "a", "head": "b", "dataset": "a", "value": 0.5}
    >>> print(main_table(Analysis([record]), with_paper=False).text(20))
    method  recombined, on a  recombined, average
    ------  ----------------  -------------------
    RP                  50.0                 50.0
    """
    rows = method_rows(analysis, METHODS, bounds=True)
    methods = [row.keys["method"] for row in rows]
    theirs = published(analysis, METHODS)
    bound = paper.COMPATIBILITY_UPPER_BOUND
    ratios = {m: v / bound for m, v in paper.COMPATIBILITY_RECOMBINED.items()}
    own = cells(paper.COMPATIBILITY_OWN, methods)
    if UPPER_BOUND_WITHOUT_ROTATION in methods:
        # The paper gives the difference.
        gain = paper.COMPATIBILITY_ROTATION_HEAD
        told = f"{100 * (bound - gain):.1f} ({100 * bound:.1f} - {100 * gain:.1f})"
        own[methods.index(UPPER_BOUND_WITHOUT_ROTATION)] = told
    extra = {
        f"{theirs}: recombined, average": cells(paper.COMPATIBILITY_RECOMBINED, methods),
        f"{theirs}: own head": own,
        f"{theirs}: compatibility": [number(summary(ratios.get(m))) for m in methods],
    }
    return result_table(analysis, "method", rows, extra if with_paper else {})


def section(analysis: Analysis) -> Section | None:
    """Returns the section of the methods, or `None` if they were not measured.

    Args:
        analysis: the records.

    Returns:
        The section.

    Example:

    >>> section(Analysis([{"metric": "step_time_s", "study": "cost", "value": 1}])) is None
    True
    """
    if not analysis.methods(METHODS):
        return None
    return Section(
        TITLE,
        _text(analysis),
        [main_table(analysis)],
        _pictures(analysis),
    )


def _pictures(analysis: Analysis) -> list[Picture]:
    rows = method_rows(analysis, METHODS)
    theirs = {method_name(m): v for m, v in paper.COMPATIBILITY_RECOMBINED.items()}
    title = "Recombination accuracy by method"
    pictures = [
        bar_chart(
            analysis,
            "figure2.png",
            title,
            rows,
            published=theirs if analysis.on_papers_data(METHODS) else None,
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
