"""All networks on one data set, where training alone tells them apart (B.2, Fig. 7)."""

from __future__ import annotations

from collections.abc import Iterator

from keras_compat.methods import (
    UPPER_BOUND,
    UPPER_BOUNDS,
    is_papers_combination,
    method_name,
)
from keras_compat.reporting import paper
from keras_compat.reporting.section import Section
from keras_compat.reporting.table import MISSING
from keras_compat.studies.analysis import Analysis
from keras_compat.studies.cells import Asked, Cell, Known
from keras_compat.studies.charts import bar_chart
from keras_compat.studies.result_table import method_rows, result_table

STUDY = "same_data"


def cells(known: Known, seed: int) -> list[Asked]:
    methods = (*known.methods, UPPER_BOUND)
    return [Asked(Cell(method, seed, same_data=True)) for method in methods]


def sections(analysis: Analysis) -> Iterator[Section]:
    if not analysis.methods(STUDY):
        return
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
    yield Section(
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
