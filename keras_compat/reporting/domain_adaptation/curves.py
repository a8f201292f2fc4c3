"""Section of the curves over the rounds of adaptation."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from keras_compat.reporting import figures
from keras_compat.reporting.domain_adaptation.choices import layers_in_words
from keras_compat.reporting.figures import Scale, Series
from keras_compat.reporting.records import (
    Record,
    grouped,
    over_seeds,
    select,
    summarise_by,
    unique,
)
from keras_compat.reporting.section import Picture, Section
from keras_compat.reporting.shown import picture_names

CURVES = {
    "accuracy_on_the_way": (
        "accuracy",
        figures.PERCENT,
        "Average class accuracy on the target",
    ),
    "held_out_loss": (
        "loss",
        Scale("loss on held-out target images"),
        "Auxiliary loss on held-out target images",
    ),
    "mutual_information": (
        "information",
        Scale("mutual information [nats]"),
        "Mutual information of the classifier's answers",
    ),
}
"""By metric: the last part of the file's name, the scale and the title of the figure."""


def section(records: Sequence[Record]) -> Section | None:
    """Returns the section of the curves, or `None` if nothing was measured on the way.

    Example:

    >>> keys = {"metric": "held_out_loss", "source": "a", "target": "b", "layers": "all",
    ...         "learning_rate": 1e-4, "seed": 0}
    >>> records = [{**keys, "rounds": r, "value": 1 / (1 + r)} for r in (0, 20, 40)]
    >>> [picture.name for picture in section(records).pictures]
    ['a_to_b_loss.png']
    """
    pictures = []
    directions = grouped(records, "source", "target")
    names = picture_names(list(directions))
    for (direction, found), name in zip(directions.items(), names, strict=True):
        for metric, (what, *look) in CURVES.items():
            if of_curve := select(found, metric=metric):
                draw = partial(_draw, " to ".join(direction), of_curve, *look)
                pictures.append(Picture(f"{name}_{what}.png", f"{name}_{what}", draw))
    return Section("On the way", pictures=pictures) if pictures else None


def curves(records: Sequence[Record]) -> list[Series]:
    """Returns a curve for each way to adapt, over rounds, averaged over seeds.

    Example:

    >>> keys = {"metric": "held_out_loss", "layers": "all", "learning_rate": 1e-4, "seed": 0}
    >>> [curve.label for curve in curves([{**keys, "rounds": 0, "value": 1.0}])]
    ['learning rate 0.0001']
    """
    layers, rates = unique(records, "layers"), unique(records, "learning_rate")
    found = grouped(records, "layers", "learning_rate")
    return [
        Series(
            f"learning rate {rate:g}{f', {layers_in_words(those)}' if len(layers) > 1 else ''}",
            summarise_by(found[those, rate], "rounds"),
        )
        for those in layers
        for rate in rates
        if (those, rate) in found
    ]


def _draw(direction: str, records: Sequence[Record], scale: Scale, title: str, path: Path) -> None:
    figures.draw_lines(
        path,
        curves(records),
        title=title,
        subtitle=f"{direction}{over_seeds(records)}",
        x_label="rounds of adaptation",
        scale=scale,
        from_zero=False,
    )
