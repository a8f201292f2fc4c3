"""Other self-supervised tasks in the place of rotation (Appendix A)."""

from __future__ import annotations

from keras_compat.reporting.compatibility_analysis.analysis import Analysis
from keras_compat.reporting.compatibility_analysis.charts import bar_chart
from keras_compat.reporting.compatibility_analysis.names import method_name
from keras_compat.reporting.compatibility_analysis.result_table import Row, result_table
from keras_compat.reporting.section import Section

STUDY = "auxiliaries"


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
    methods = analysis.methods(STUDY)
    if not methods:
        return None
    text = (
        "A shared head of another self-supervised task takes the place of rotation. The paper "
        "names these tasks and gives no figures for them."
    )
    if "fm" in methods:
        text += (
            " FM is not in the paper, and no head makes it: both extractors see the same images, "
            "and learn to emit the same features for them."
        )
    rows = [Row(method_name(method), STUDY, {"method": method}) for method in methods]
    title = "Recombination accuracy by auxiliary task"
    return Section(
        "Other auxiliary tasks (Appendix A)",
        [text],
        [result_table(analysis, "method", rows)],
        [bar_chart(analysis, "auxiliaries.png", title, rows, own=True, horizontal=True)],
    )
