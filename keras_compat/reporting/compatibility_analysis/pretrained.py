"""Starting from pre-trained weights (Sec. 4, "Starting from pre-trained models")."""

from __future__ import annotations

from functools import partial

from keras_compat.reporting import figures, paper
from keras_compat.reporting.compatibility_analysis.analysis import Analysis
from keras_compat.reporting.compatibility_analysis.charts import RECOMBINED, about, levels
from keras_compat.reporting.compatibility_analysis.names import method_name
from keras_compat.reporting.compatibility_analysis.result_table import (
    cells,
    method_rows,
    published,
    result_table,
    summary,
)
from keras_compat.reporting.figures import Bars, Line
from keras_compat.reporting.section import Picture, Section
from keras_compat.reporting.table import percent

STUDY = "pretrained"


def section(analysis: Analysis) -> Section | None:
    """Returns the section of pre-trained weights, or `None` if they were not measured.

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
    theirs = published(analysis, STUDY)
    extra = {
        "from random weights": [percent(analysis.recombination(STUDY, method=m)) for m in methods],
        f"{theirs}: pre-trained": cells(paper.COMPATIBILITY_PRETRAINED, methods),
        f"{theirs}: from random weights": cells(paper.COMPATIBILITY_RECOMBINED, methods),
    }
    rows = method_rows(analysis, STUDY, pretrained=True)
    text = (
        "The extractors start from weights that were trained to predict rotation on other images: "
        "with IIW from the same, else from different ones. In the paper the same weights alone "
        "make networks compatible to 74.3 %, and different ones make it harder than random weights "
        "do (RP falls from 50.1 to 19.7 %, DCC from 65.8 to 52.3 %)."
    )
    images = analysis.config.get("pretraining_dataset")
    text += f" Here these images are {images}." if images else ""
    return Section(
        "From pre-trained weights (Sec. 4)",
        [text],
        [result_table(analysis, "method", rows, extra)],
        [_picture(analysis)],
    )


def _picture(analysis: Analysis) -> Picture:
    methods = analysis.methods(STUDY)
    pretrained = [analysis.recombination(STUDY, method=m, pretrained=True) for m in methods]
    bars = [
        Bars(
            "from random weights",
            [analysis.recombination(STUDY, method=m) for m in methods],
            figures.SKY,
        ),
        Bars("from pre-trained weights", pretrained, figures.BLUE),
    ]
    if analysis.on_papers_data(STUDY):
        values = paper.COMPATIBILITY_PRETRAINED
        theirs = [summary(values.get(m)) for m in methods]
        bars.append(Bars("from pre-trained weights (paper)", theirs, figures.BLUE, published=True))
    title, subtitle = "Recombination accuracy from pre-trained weights", about(analysis, STUDY)
    draw = partial(
        figures.draw_bars,
        groups=list(map(method_name, methods)),
        bars=bars,
        lines=_levels(analysis),
        title=title,
        subtitle=subtitle,
        scale=RECOMBINED,
    )
    return Picture("pretrained.png", f"{title}: {subtitle}.", draw)


def _levels(analysis: Analysis) -> list[Line]:
    bound = analysis.upper_bound(STUDY, pretrained=True)
    lines = [] if bound is None else [Line("upper bound, pre-trained", bound.mean, "-.")]
    return [*lines, *levels(analysis, STUDY)]
