"""Other auxiliary tasks in the place of rotation (Appendix A), and feature matching."""

from __future__ import annotations

from collections.abc import Iterator

from keras_compat.auxiliary import AUXILIARIES
from keras_compat.methods import INDEPENDENT, UPPER_BOUND
from keras_compat.reporting.section import Section
from keras_compat.studies.analysis import Analysis
from keras_compat.studies.cells import Asked, Cell, Known
from keras_compat.studies.charts import bar_chart
from keras_compat.studies.result_table import method_rows, result_table

STUDY = "auxiliaries"


def cells(known: Known, seed: int) -> list[Asked]:
    """Returns every task that needs no labels, alone and with IIW.

    Where images are grey, tasks that need colours are left out.
    """
    entries = [AUXILIARIES[name] for name in AUXILIARIES]
    tasks = [
        entry.token
        for entry in entries
        if entry.token and not entry.needs_labels and (known.colour or not entry.needs_colour)
    ]
    with_iiw = ("iiw", *(f"iiw+{task}" for task in tasks))
    methods = (INDEPENDENT, *tasks, *map(known.possible, with_iiw), UPPER_BOUND)
    return [Asked(Cell(method, seed)) for method in dict.fromkeys(methods)]


def sections(analysis: Analysis) -> Iterator[Section]:
    methods = analysis.methods(STUDY)
    if not methods:
        return
    text = (
        "A shared head of another self-supervised task takes the place of rotation. The paper "
        "names these tasks and gives no figures for them."
    )
    if "fm" in methods:
        text += (
            " FM is not in the paper, and no head makes it: both extractors see the same images, "
            "and learn to emit the same features for them."
        )
    rows = method_rows(analysis, STUDY)
    title = "Recombination accuracy by auxiliary task"
    yield Section(
        "Other auxiliary tasks (Appendix A)",
        [text],
        [result_table(analysis, "method", rows)],
        [bar_chart(analysis, "auxiliaries.png", title, rows, own=True, horizontal=True)],
    )
