"""The number of common classes that the shared head discriminates (B.4, Fig. 9)."""

from __future__ import annotations

from collections.abc import Iterator

from keras_compat.methods import UPPER_BOUND, method_name
from keras_compat.reporting import figures, paper
from keras_compat.reporting.figures import Line
from keras_compat.reporting.records import Summary, unique
from keras_compat.reporting.section import Picture, Section
from keras_compat.studies.analysis import Analysis
from keras_compat.studies.cells import Asked, Cell, Known
from keras_compat.studies.charts import chart, levels
from keras_compat.studies.result_table import Row, result_table

STUDY = "common_classes"


def cells(known: Known, seed: int) -> list[Asked]:
    """Returns each number of classes, a control of each, and methods that use no classes."""
    varied = known.possible("iiw+dcc")
    # The paper's level of comparison is from the same initial weights too.
    beside = dict.fromkeys(map(known.possible, ("iiw", "rp", "iiw+rp")))
    fewer = [
        Asked(Cell(varied, seed, common_classes=count, control=control))
        for count in range(2, known.common)
        for control in (False, True)
    ]
    return [*fewer, *(Asked(Cell(method, seed)) for method in (varied, *beside, UPPER_BOUND))]


def sections(analysis: Analysis) -> Iterator[Section]:
    cases = _cases(analysis)
    if not cases:
        return
    rows = [_row(analysis, *case) for case in cases]
    rows += [Row(method_name(m), STUDY, {"method": m}) for m in _others(analysis)]
    text = (
        "The shared head of DCC is trained on fewer than all common classes; recombined networks "
        "are tested on all of them. The control answers what the paper leaves open: its head "
        "knows all common classes, but is trained on only as many images as so many classes have. "
        f"The paper (IIW+DCC, three runs): at most "
        f"{100 * paper.COMPATIBILITY_SIX_CLASSES_AT_MOST:.1f} % with six classes or fewer, where "
        f"RP has {100 * paper.COMPATIBILITY_SIX_CLASSES_RP:.1f} %; eight instead of nine change "
        "little."
    )
    yield Section(
        "How many common classes (B.4, Fig. 9)",
        [text],
        [result_table(analysis, "classes of the shared head", rows)],
        [_picture(analysis, cases)],
    )


def _cases(analysis: Analysis) -> list[tuple[str, bool, int]]:
    """Returns method, whether it is a control, and classes as records have them: 0 for all."""
    methods = _varied(analysis)
    keys = {"method": None, "control": None, "common_classes": None}
    found = analysis.find("recombination_accuracy", STUDY, **keys)
    cases = dict.fromkeys(
        (r["method"], r.get("control", False), r.get("common_classes", 0))
        for r in found
        if r["method"] in methods
    )
    return sorted(cases, key=lambda c: (methods.index(c[0]), c[1], _classes(analysis, c[2])))


def _varied(analysis: Analysis) -> tuple[str, ...]:
    """Returns the methods of which the study varies the number of classes."""
    found = analysis.all(STUDY, "recombination_accuracy")
    return unique([r for r in found if "common_classes" in r], "method")


def _others(analysis: Analysis) -> list[str]:
    """Returns the methods that were only measured to stand beside."""
    return [m for m in analysis.methods(STUDY) if m not in _varied(analysis)]


def _classes(analysis: Analysis, classes: int) -> int:
    return classes or analysis.common_classes(STUDY) or 0


def _row(analysis: Analysis, method: str, control: bool, classes: int) -> Row:
    keys = {"method": method, "control": control, "common_classes": classes}
    count = _classes(analysis, classes) or "all"
    told = f"all, images of {count} classes" if control else f"{count}"
    return Row(f"{method_name(method)}: {told}", STUDY, keys)


def _picture(analysis: Analysis, cases: list[tuple[str, bool, int]]) -> Picture:
    curves: dict[str, dict[int, Summary]] = {}
    for method, control, classes in cases:
        name = method_name(method)
        label = f"{name}, control: all classes, as many images" if control else name
        keys = _row(analysis, method, control, classes).keys
        value = analysis.recombination(STUDY, **keys)
        if value is not None and _classes(analysis, classes):
            curves.setdefault(label, {})[_classes(analysis, classes)] = value
    return chart(
        analysis,
        STUDY,
        figures.draw_lines,
        "figure9.png",
        "Recombination accuracy by common classes",
        series=[figures.Series(label, points) for label, points in curves.items()],
        lines=[*levels(analysis, STUDY), *_beside(analysis)],
        x_label="common classes (control: images of as many)",
    )


def _beside(analysis: Analysis) -> list[Line]:
    """Returns the accuracies of methods that discriminate no common classes, as levels."""
    found = {m: analysis.recombination(STUDY, method=m) for m in _others(analysis)}
    return [Line(method_name(m), v.mean, "-.") for m, v in found.items() if v is not None]
