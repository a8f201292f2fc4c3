"""Both networks on one data set, where nothing but training keeps them apart (B.2, Fig. 7)."""

from __future__ import annotations

from keras_compat.reporting import paper
from keras_compat.reporting.compatibility_analysis.analysis import Analysis
from keras_compat.reporting.compatibility_analysis.charts import bar_chart
from keras_compat.reporting.compatibility_analysis.names import (
    UPPER_BOUNDS,
    is_papers_combination,
    method_name,
)
from keras_compat.reporting.compatibility_analysis.result_table import method_rows, result_table
from keras_compat.reporting.section import Section
from keras_compat.reporting.table import MISSING

STUDY = "same_data"


def section(analysis: Analysis) -> Section | None:
    """Returns the section of both networks on one data set, or `None` if it was not measured.

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
    methods = analysis.methods(STUDY, bounds=True)
    gaps = {m: _gap(analysis, m) for m in methods if m not in UPPER_BOUNDS}
    at_most = f"at most {100 * paper.COMPATIBILITY_SAME_DATA_GAP:.1f}"
    extra = {
        "points below the upper bound": [_points(gaps.get(m)) for m in methods],
        "paper (CIFAR-10): points below": [
            at_most if is_papers_combination(m) else MISSING for m in methods
        ],
    }
    rows = method_rows(analysis, STUDY, bounds=True)
    text = (
        "The networks are trained on the same images, so that their parts could in principle fit "
        "perfectly. In the paper any combination of two or three methods is within "
        f"{100 * paper.COMPATIBILITY_SAME_DATA_GAP:.1f} points of the upper bound."
    )
    within = [
        m for m, gap in gaps.items() if gap is not None and gap <= paper.COMPATIBILITY_SAME_DATA_GAP
    ]
    if any(gap is not None for gap in gaps.values()):
        text += f" Here these are: {', '.join(map(method_name, within)) or 'none'}."
    title = "Recombination accuracy, both networks on one data set"
    return Section(
        "Both networks on one data set (B.2, Fig. 7)",
        [text],
        [result_table(analysis, "method", rows, extra)],
        [bar_chart(analysis, "figure7.png", title, method_rows(analysis, STUDY))],
    )


def _gap(analysis: Analysis, method: str) -> float | None:
    recombined = analysis.recombination(STUDY, method=method)
    bound = analysis.upper_bound(STUDY)
    return None if recombined is None or bound is None else bound.mean - recombined.mean


def _points(gap: float | None) -> str:
    return MISSING if gap is None else f"{100 * gap:.1f}"
