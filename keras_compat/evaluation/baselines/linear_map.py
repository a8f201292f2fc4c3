"""Base of the baselines that map the features of one extractor to those of another."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from keras_compat.evaluation.baselines.base import (
    IMAGES,
    STATISTICS_BATCH,
    Baseline,
    Connected,
    Pair,
)
from keras_compat.evaluation.baselines.connection import connected_extractor
from keras_compat.evaluation.moments import Moments, feature_moments


@dataclass(frozen=True)
class LinearMap(Baseline):
    """1x1 convolution from the features of an extractor to those of the target's extractor.

    It is fitted on unlabelled images that both extractors see; each position is a sample. Features
    are normalized with batch statistics, as in evaluation.

    Args:
        images: Maximum number of images of the extractor's data.
    """

    images: int = IMAGES

    @property
    def needs(self) -> str:
        return f"up to {self.images:,} images through both"

    def connect(self, pair: Pair) -> Connected:
        moments = feature_moments(
            pair.extractor, pair.target_extractor, [pair.draw(self.images)], STATISTICS_BATCH
        )
        kernel = self.fit(moments)
        bias = self.offset(moments, kernel)
        return Connected(connected_extractor(pair.extractor, kernel, bias), pair.target_head)

    @abstractmethod
    def fit(self, moments: Moments) -> np.ndarray:
        """Returns the kernel, float `[channels, target channels]`."""

    def offset(self, moments: Moments, kernel: np.ndarray) -> np.ndarray:
        """Returns the bias; by default the mapped features have the means of the target."""
        return moments.mean_b - moments.mean_a @ kernel
