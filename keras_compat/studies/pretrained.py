"""Starting from pre-trained weights (Sec. 4, "Starting from pre-trained models")."""

from __future__ import annotations

from collections.abc import Iterator

from keras_compat.methods import UPPER_BOUND, method_name
from keras_compat.reporting import figures, paper
from keras_compat.reporting.figures import Bars, Line
from keras_compat.reporting.section import Picture, Section
from keras_compat.reporting.table import percent
from keras_compat.studies import correlation
from keras_compat.studies.analysis import Analysis
from keras_compat.studies.cells import Asked, Cell, Known
from keras_compat.studies.charts import chart, levels
from keras_compat.studies.result_table import (
    method_rows,
    papers,
    percents,
    published,
    result_table,
    summary,
)

STUDY = "pretrained"


def cells(known: Known, seed: int) -> list[Asked]:
    """Returns every method from pre-trained weights, and the same from random ones."""
    return [
        Asked(Cell(method, seed, pretrained=start), ("matrix", "correlation"))
        for start in (True, False)
        for method in (*known.methods, UPPER_BOUND)
    ]


def sections(analysis: Analysis) -> Iterator[Section]:
    if analysis.methods(STUDY):
        yield _section(analysis)
    # Shows the methods from random and from pre-trained weights together.
    yield from correlation.sections(analysis)


def _section(analysis: Analysis) -> Section:
    methods = analysis.methods(STUDY)
    rows = method_rows(analysis, STUDY, pretrained=True)
    theirs = published(analysis, STUDY)
    extra = {
        "from random weights": [percent(analysis.recombination(STUDY, method=m)) for m in methods],
        f"{theirs}: pre-trained": percents(paper.COMPATIBILITY_PRETRAINED, methods),
        f"{theirs}: from random weights": papers(rows),
    }
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
    bound = analysis.upper_bound(STUDY, pretrained=True)
    own_level = [] if bound is None else [Line("upper bound, pre-trained", bound.mean, "-.")]
    return chart(
        analysis,
        STUDY,
        figures.draw_bars,
        "pretrained.png",
        "Recombination accuracy from pre-trained weights",
        groups=list(map(method_name, methods)),
        bars=bars,
        lines=[*own_level, *levels(analysis, STUDY)],
    )
