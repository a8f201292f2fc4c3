"""Other self-supervised tasks in the place of rotation (Appendix A)."""

from __future__ import annotations

from keras_compat.reporting.compatibility_analysis.analysis import METHODS, Analysis
from keras_compat.reporting.compatibility_analysis.charts import bar_chart
from keras_compat.reporting.compatibility_analysis.names import method_name
from keras_compat.reporting.compatibility_analysis.result_table import Row, result_table
from keras_compat.reporting.compatibility_analysis.section import Section

STUDY = "auxiliaries"

_PAPERS = ("iiw", "rp", "dcc", "independent")


def section(analysis: Analysis) -> Section | None:
    """Returns the section of the auxiliary tasks, or `None` if they were not measured.

    Args:
        analysis: the records.

    Returns:
        The section.

    Example:

    >>> section(Analysis([{"metric": "step_time_s", "study": "cost", "value": 1}])) is None
    True
    """
    rows = _rows(analysis)
    if not rows:
        return None
    text = (
        "A shared head of another self-supervised task takes the place of rotation. The paper "
        "names these tasks and gives no figures for them."
    )
    title = "Recombination accuracy by auxiliary task"
    return Section(
        "Other auxiliary tasks (Appendix A)",
        [text],
        [result_table(analysis, "method", rows)],
        [bar_chart(analysis, "auxiliaries.png", title, rows, own=True, horizontal=True)],
    )


def _rows(analysis: Analysis) -> list[Row]:
    """The study's methods, after those with rotation that they stand beside."""
    measured = analysis.methods(STUDY)
    if not measured:
        return []
    beside = dict.fromkeys(["independent", *map(_with_rotation, measured)])
    rows = [
        Row(method_name(m), METHODS, {"method": m})
        for m in beside
        if m not in measured and analysis.recombination(METHODS, method=m) is not None
    ]
    return [*rows, *(Row(method_name(m), STUDY, {"method": m}) for m in measured)]


def _with_rotation(method: str) -> str:
    parts = {part if part in _PAPERS else "rp" for part in method.split("+")}
    return "+".join(sorted(parts, key=_PAPERS.index))
