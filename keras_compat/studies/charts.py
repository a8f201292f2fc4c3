"""Pictures that several studies share: accuracies, with the upper bounds and chance as levels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle
from typing import Any

from keras_compat.methods import UPPER_BOUNDS, method_name
from keras_compat.reporting import figures
from keras_compat.reporting.figures import Bars, Line
from keras_compat.reporting.records import Summary
from keras_compat.reporting.section import Picture
from keras_compat.studies.analysis import Analysis
from keras_compat.studies.result_table import Row, summary

RECOMBINED = figures.Scale("recombination accuracy [%]", 100, 1, figures.PERCENT.top)


def chart(
    analysis: Analysis,
    study: str,
    draw: Callable[..., None],
    name: str,
    title: str,
    **drawn: Any,
) -> Picture:
    """Returns a picture of recombination accuracies of a study.

    Args:
        draw: Function of `keras_compat.reporting.figures`.
        **drawn: Further arguments of `draw`; by default the levels are those of `levels`.

    Example:

    >>> record = {"metric": "own_accuracy", "study": "methods", "dataset": "digits", "value": 0.5}
    >>> chart(Analysis([record]), "methods", figures.draw_lines, "a.png", "Splits").caption
    'Splits: digits; one seed.'
    """
    subtitle = about(analysis, study)
    drawn = {"lines": levels(analysis, study), "scale": RECOMBINED, **drawn}
    return Picture(
        name, f"{title}: {subtitle}.", partial(draw, title=title, subtitle=subtitle, **drawn)
    )


def bar_chart(
    analysis: Analysis,
    name: str,
    title: str,
    rows: Sequence[Row],
    *,
    published: bool = False,
    own: bool = False,
    horizontal: bool = False,
    both_bounds: bool = False,
    network: str | None = None,
) -> Picture:
    """Returns the picture of recombination accuracies, a group of bars a row.

    Args:
        rows: Rows to show, of one study, or of one and of the methods.
        published: Whether the paper's figures stand beside.
        own: Whether accuracy with the network's own head stands beside.
        horizontal: Whether the rows are below one another, as long labels need.
        both_bounds: Whether the lower one of the two upper bounds is a level, too.
        network: Network whose extractor and data count; `None` for the average.

    Example:

    >>> record = {"metric": "recombination_accuracy", "study": "methods", "method": "rp",
    ...           "extractor": "a", "head": "b", "dataset": "a", "value": 0.5}
    >>> rows = [Row("RP", "methods", {"method": "rp"})]
    >>> bar_chart(Analysis([record]), "figure2.png", "Methods", rows).caption
    'Methods: a; one seed.'
    """
    study = rows[0].study
    recombined = [analysis.recombination(r.study, network, **r.keys) for r in rows]
    bars = [Bars("recombined", recombined, figures.BLUE)]
    if published and any(row.paper is not None for row in rows):
        values = [summary(row.paper) for row in rows]
        bars.append(Bars("recombined (paper)", values, figures.BLUE, published=True))
    if own:
        values = [analysis.own(r.study, network, **r.keys) for r in rows]
        bars.append(Bars("with its own head, same images and classes", values, figures.ORANGE))
    return chart(
        analysis,
        study,
        figures.draw_bars,
        name,
        title,
        groups=[row.label for row in rows],
        bars=bars,
        lines=levels(analysis, study, network, both_bounds),
        scale=figures.PERCENT if own else RECOMBINED,
        across=horizontal,
    )


def bars_by_method(
    analysis: Analysis, study: str, values: Callable[[str], list[Summary | None]]
) -> list[Bars]:
    """Returns bars of a colour for each method of a study.

    Args:
        values: Function from a method to its figures, one for each group of bars.
    """
    colours = cycle(figures.COLOURS)
    return [Bars(method_name(m), values(m), next(colours)) for m in analysis.methods(study)]


def levels(
    analysis: Analysis, study: str, network: str | None = None, both: bool = False
) -> list[Line]:
    """Returns the levels of a figure of accuracies: the higher upper bound and chance."""
    lines = []
    for method, style in zip(UPPER_BOUNDS, ("--", "-."), strict=True):
        bound = analysis.upper_bound(study, network, method)
        if bound is not None and (both or method == analysis.higher_bound(study)):
            lines.append(Line(method_name(method), bound.mean, style))
    chance = analysis.chance(study)
    if chance is not None:
        lines.append(Line("chance", chance, ":"))
    return lines


def about(analysis: Analysis, study: str) -> str:
    """Returns the data sets, common classes and seeds of a figure."""
    classes = analysis.common_classes(study)
    parts = [", ".join(analysis.datasets(study)), f"{classes} common classes" if classes else ""]
    return "; ".join(part for part in [*parts, analysis.spread(study)] if part)
