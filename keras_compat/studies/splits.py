"""The point at which the network is split into extractor and head (B.3, Fig. 8)."""

from __future__ import annotations

from collections.abc import Iterator

from keras_compat.errors import InputError
from keras_compat.methods import UPPER_BOUND, method_name
from keras_compat.reporting import figures
from keras_compat.reporting.records import unique
from keras_compat.reporting.section import Picture, Section
from keras_compat.studies.analysis import Analysis
from keras_compat.studies.cells import Asked, Cell, Known
from keras_compat.studies.charts import chart
from keras_compat.studies.result_table import Row, result_table

STUDY = "splits"


def cells(known: Known, seed: int) -> list[Asked]:
    """Returns every split point, and of rotation alone too.

    Raises:
        InputError: if the architectures have no split point in common.
    """
    if not known.splits:
        raise InputError(
            f"the architectures {', '.join(known.architectures)} have no split point in common; "
            "leave out the study 'splits'"
        )
    found = []
    for method in dict.fromkeys((known.possible("iiw+rp"), "rp")):
        for split in known.splits:
            if split == known.own_split:
                # The cell that other studies have too, where the split goes without saying.
                found.append(Asked(Cell(method, seed), keys={"split": split}))
            else:
                found.append(Asked(Cell(method, seed, split=split)))
    return [*found, Asked(Cell(UPPER_BOUND, seed))]


def sections(analysis: Analysis) -> Iterator[Section]:
    methods = analysis.methods(STUDY)
    if not methods:
        return
    rows = [
        Row(f"{method_name(m)}: {split}", STUDY, {"method": m, "split": split})
        for m in methods
        for split in _splits(analysis, m)
    ]
    text = (
        "The network is split after the layer or block that is named. In the paper (IIW+RP, "
        "ResNet-56, mean of five runs) later splits are slightly less compatible up to the first "
        "block of stage 3, and considerably less from there on; its values are in a plot only."
    )
    yield Section(
        "Where to split (B.3, Fig. 8)",
        [text],
        [result_table(analysis, "split after", rows)],
        [_picture(analysis)],
    )


def _splits(analysis: Analysis, method: str) -> tuple[str, ...]:
    """Returns the split points in the order in which they were measured."""
    found = analysis.find("recombination_accuracy", STUDY, split=None, method=method)
    return unique(found, "split")


def _picture(analysis: Analysis) -> Picture:
    series = []
    for method in analysis.methods(STUDY):
        points = {
            split: analysis.recombination(STUDY, method=method, split=split)
            for split in _splits(analysis, method)
        }
        series.append(figures.Series(method_name(method), points))
    title = "Recombination accuracy by split point"
    if len(series) == 1:
        title += f", {series[0].label}"
    return chart(
        analysis,
        STUDY,
        figures.draw_lines,
        "figure8.png",
        title,
        series=series,
        x_label="last part of the extractor",
    )
