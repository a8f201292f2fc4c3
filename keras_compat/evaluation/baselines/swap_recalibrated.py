"""Baseline: the head on the extractor with re-estimated moving statistics."""

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
