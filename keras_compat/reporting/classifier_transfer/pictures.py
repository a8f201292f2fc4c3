"""Bar charts of the classifier transfer (Fig. 4; Fig. 11)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from keras_compat.reporting import figures, paper
from keras_compat.reporting.classifier_transfer.tables import published
from keras_compat.reporting.classifier_transfer.updated_head import (
    UpdatedHead,
    constant,
    dataset_of,
)
from keras_compat.reporting.figures import Bars, Line
from keras_compat.reporting.section import Picture

_COLOURS = {"frozen_extractor": figures.BLUE, "frozen_rotation": figures.VERMILION}


def pictures(heads: Sequence[UpdatedHead]) -> list[Picture]:
    """Returns the charts that the records allow: the second one is of both variants.

    Example:

    >>> record = {"metric": "recombination_accuracy", "extractor": "resnet8", "value": 0.9}
    >>> [picture.name for picture in pictures([UpdatedHead([record])])]
    ['figure4.png']
    """
    drawn = {"figure4": partial(_draw_head, heads[0])}
    if len(heads) > 1:
        drawn["figure11"] = partial(_draw_variants, heads)
    return [Picture(f"{name}.png", name, draw) for name, draw in drawn.items()]


def _draw_head(head: UpdatedHead, path: Path) -> None:
    recombined, bound = "recombined with the updated head", "upper bound"
    theirs = paper.CLASSIFIER_TRANSFER_RECOMBINED if head.variant == "frozen_extractor" else {}
    _draw(
        path,
        head,
        [
            Bars(recombined, [*map(head.accuracy, head.extractors)], figures.BLUE),
            *_published(recombined, head, theirs, figures.BLUE),
            Bars(bound, [*map(head.upper_bound, head.extractors)], figures.ORANGE),
            *_published(bound, head, paper.CLASSIFIER_TRANSFER_UPPER_BOUND, figures.ORANGE),
            Bars(
                f"{bound}, changed architecture",
                [head.upper_bound(e, "changed") for e in head.extractors],
                figures.SKY,
            ),
        ],
        "One updated head on every extractor",
        f"{head.label}{head.seeds}",
    )


def _draw_variants(heads: Sequence[UpdatedHead], path: Path) -> None:
    first, *_ = heads
    bars = [
        Bars(head.label, [*map(head.accuracy, first.extractors)], _COLOURS[head.variant])
        for head in heads
    ]
    theirs = paper.CLASSIFIER_TRANSFER_RECOMBINED
    bars[1:1] = _published(first.label, first, theirs, _COLOURS[first.variant])
    title = "What is frozen while the head is updated"
    _draw(path, first, bars, title, first.seeds.removeprefix(", "))


def _draw(path: Path, head: UpdatedHead, bars: Sequence[Bars], title: str, subtitle: str) -> None:
    levels = {
        "lower bound": ("--", constant(head.records, "lower_bound")),
        "chance": (":", constant(head.records, "chance")),
    }
    figures.draw_bars(
        path,
        [
            display_name(e) + ("\n(reference)" if e == head.reference else "")
            for e in head.extractors
        ],
        bars,
        [Line(label, v.mean, style) for label, (style, v) in levels.items() if v is not None],
        title=f"{title}, {dataset_of(head.records)}",
        subtitle=subtitle,
    )


def _published(
    label: str, head: UpdatedHead, values: Mapping[str, float], colour: str
) -> list[Bars]:
    """Returns the paper's bars beside ours, where both are of the same data."""
    if not paper.is_cifar10(dataset_of(head.records)):
        return []
    found = [published(extractor, values) for extractor in head.extractors]
    return [Bars(f"{label} (paper)", found, colour, published=True)]


def display_name(architecture: str) -> str:
    """Returns the name of an architecture as the papers write it.

    Example:

    >>> display_name("wide_resnet56"), display_name("mobilenet_v2_small")
    ('Wide ResNet-56', 'MobileNet V2 small')
    >>> display_name("resnet:depth=20")
    'ResNet depth=20'
    """
    names = {"wide_resnet": "Wide ResNet", "resnet": "ResNet", "mobilenet_v2": "MobileNet V2"}
    family = paper.family(architecture)
    rest = re.sub(r"[_:,]+", " ", architecture[len(family) :])
    return names.get(family, family) + re.sub(r"^(\d)", r"-\1", rest)
