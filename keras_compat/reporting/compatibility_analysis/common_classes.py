"""How many common classes the shared head discriminates (B.4, Fig. 9), with a control."""

from __future__ import annotations

from functools import partial

from keras_compat.reporting import figures, paper
from keras_compat.reporting.compatibility_analysis.analysis import Analysis
from keras_compat.reporting.compatibility_analysis.charts import RECOMBINED, about, levels
from keras_compat.reporting.compatibility_analysis.names import method_name
from keras_compat.reporting.compatibility_analysis.result_table import Row, result_table
from keras_compat.reporting.figures import Line
from keras_compat.reporting.records import Summary, unique
from keras_compat.reporting.section import Picture, Section

STUDY = "common_classes"


def section(analysis: Analysis) -> Section | None:
    """Returns the section of the common classes, or `None` if they were not measured.

    Args:
        analysis: the records.

    Returns:
        The section.

    Example:

    >>> section(Analysis([{"metric": "step_time_s", "study": "cost", "value": 1}])) is None
    True
    """
    cases = _cases(analysis)
    if not cases:
        return None
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
    return Section(
        "How many common classes (B.4, Fig. 9)",
        [text],
        [result_table(analysis, "classes of the shared head", rows)],
        [_picture(analysis, cases)],
    )


def _cases(analysis: Analysis) -> list[tuple[str, bool, int]]:
    """Method, whether it is a control, and classes as records have them: 0 for all."""
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
    """The methods of which the study varies the number of classes."""
    found = analysis.all(STUDY, "recombination_accuracy")
    return unique([r for r in found if "common_classes" in r], "method")


def _others(analysis: Analysis) -> list[str]:
    """The methods that were only measured to stand beside."""
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
    title, subtitle = "Recombination accuracy by common classes", about(analysis, STUDY)
    draw = partial(
        figures.draw_lines,
        series=[figures.Series(label, points) for label, points in curves.items()],
        lines=[*levels(analysis, STUDY), *_beside(analysis)],
        title=title,
        subtitle=subtitle,
        x_label="common classes (control: images of as many)",
        scale=RECOMBINED,
    )
    return Picture("figure9.png", f"{title}: {subtitle}.", draw)


def _beside(analysis: Analysis) -> list[Line]:
    """What methods reach that discriminate no common classes."""
    found = {m: analysis.recombination(STUDY, method=m) for m in _others(analysis)}
    return [Line(method_name(m), v.mean, "-.") for m, v in found.items() if v is not None]
