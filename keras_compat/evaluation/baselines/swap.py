"""Baselines without a change of features: plain swap, new moving statistics, target network."""

from __future__ import annotations

from dataclasses import dataclass

from keras_compat.evaluation.baselines.base import (
    IMAGES,
    STATISTICS_BATCH,
    Baseline,
    Connected,
    Pair,
)
from keras_compat.evaluation.recalibration import recalibrate


@dataclass(frozen=True)
class Swap(Baseline):
    """Plain swap with the moving statistics of each part from its own network.

    With batch statistics, the plain swap is the recombination accuracy itself.

    Source: Gygli et al. 2021, B.1.

    Example:

    >>> Swap().needs
    'nothing'
    """

    needs = "nothing"

    def connect(self, pair: Pair) -> Connected:
        return Connected(pair.extractor, pair.target_head, "moving")


@dataclass(frozen=True)
class SwapRecalibrated(Baseline):
    """Plain swap with moving statistics of the recombined pair on unlabelled images.

    Args:
        images: Maximum number of images of the extractor's data.

    Source: Gygli et al. 2021, B.1.

    Example:

    >>> SwapRecalibrated(images=500).needs
    'up to 500 images'
    """

    images: int = IMAGES

    @property
    def needs(self) -> str:
        return f"up to {self.images:,} images"

    def connect(self, pair: Pair) -> Connected:
        images = pair.draw(self.images).images
        parts = recalibrate(pair.extractor, pair.target_head, images, batch_size=STATISTICS_BATCH)
        return Connected(*parts, "moving")


@dataclass(frozen=True)
class TargetNetwork(Baseline):
    """The whole target network on the extractor's data; nothing is recombined.

    A baseline that passes images through both extractors has the target's extractor at hand, so
    this is the accuracy that it must exceed.

    Example:

    >>> TargetNetwork().needs
    "the head's own extractor"
    """

    needs = "the head's own extractor"

    def connect(self, pair: Pair) -> Connected:
        return Connected(pair.target_extractor, pair.target_head)
