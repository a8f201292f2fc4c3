"""The pictures that several studies share: accuracies as bars, and the levels beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from keras_compat.reporting import figures
from keras_compat.reporting.compatibility_analysis.analysis import Analysis
from keras_compat.reporting.compatibility_analysis.names import UPPER_BOUNDS, method_name
from keras_compat.reporting.compatibility_analysis.result_table import Row, summary
from keras_compat.reporting.figures import Bars, Line
from keras_compat.reporting.section import Picture

RECOMBINED = figures.Scale("recombination accuracy [%]", 100, 1, figures.PERCENT.top)


def bar_chart(
    analysis: Analysis,
    name: str,
    title: str,
    rows: Sequence[Row],
    *,
    published: Mapping[str, float] | None = None,
    own: bool = False,
    horizontal: bool = False,
    both_bounds: bool = False,
    network: str | None = None,
) -> Picture:
    """Returns the picture of recombination accuracies, a group of bars a row.

    Args:
        analysis: the records.
        name: of the file.
        title: what stands above.
        rows: what to show; they are of one study, or of one and of the methods.
        published: the paper's figures by the rows' labels.
        own: whether accuracy with the network's own head stands beside.
        horizontal: whether the rows are below one another, as long labels need.
        both_bounds: whether the lower one of the two upper bounds is a level, too.
        network: of whose extractor, and of whose data; `None` for the average.

    Returns:
        The picture, with the upper bounds and chance as levels.

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
    if published:
        values = [summary(published.get(row.label)) for row in rows]
        bars.append(Bars("recombined (paper)", values, figures.BLUE, published=True))
    if own:
        values = [analysis.own(r.study, network, **r.keys) for r in rows]
        bars.append(Bars("with its own head, same images and classes", values, figures.ORANGE))
    subtitle = about(analysis, study)
    draw = partial(
        figures.draw_bars,
        groups=[row.label for row in rows],
        bars=bars,
        lines=levels(analysis, study, network, both_bounds),
        title=title,
        subtitle=subtitle,
        scale=figures.PERCENT if own else RECOMBINED,
        across=horizontal,
    )
    return Picture(name, f"{title}: {subtitle}.", draw)


def levels(
    analysis: Analysis, study: str, network: str | None = None, both: bool = False
) -> list[Line]:
    """Returns the levels of a figure of accuracies: the higher upper bound and chance.

    Args:
        analysis: the records.
        study: whose figure it is.
        network: for whose data; `None` for the average.
        both: whether the lower one of the two upper bounds is one, too.

    Returns:
        Those that were measured.

    Example:

    >>> levels(Analysis([{"metric": "chance", "study": "methods", "value": 0.1}]), "methods")
    [Line(label='chance', value=0.1, style=':')]
    """
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
    """Returns what a figure is of: data sets, common classes, seeds.

    Args:
        analysis: the records.
        study: whose figure it is.

    Returns:
        Such as `"digits, mnist5k; 10 common classes; one seed"`.

    Example:

    >>> record = {"metric": "own_accuracy", "study": "methods", "dataset": "digits", "value": 0.5}
    >>> about(Analysis([record]), "methods")
    'digits; one seed'
    """
    classes = analysis.common_classes(study)
    parts = [", ".join(analysis.datasets(study)), f"{classes} common classes" if classes else ""]
    return "; ".join(part for part in [*parts, analysis.spread(study)] if part)
