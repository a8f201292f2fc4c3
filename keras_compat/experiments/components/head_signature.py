"""What a head's manifest says so that its answers on other extractors can be judged later."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np

from keras_compat import evaluation
from keras_compat.store import Component

INFORMATION = "information"
"""Among a head's metrics: of its answers on the extractor that it was trained on."""


def described(head: Component, extractor: keras.Model, images: np.ndarray) -> Component:
    """Adds what a head met and said where it was trained.

    Args:
        head: of kind `"head"`.
        extractor: that it was trained on.
        images: of its training, uint8 `[N, height, width, channels]`; some hundreds, no labels.

    Returns:
        The component with feature statistics, and with the information of its answers as a metric.
    """
    told = evaluation.information(extractor, head.head, images)
    return replace(
        head,
        feature_statistics=evaluation.channel_statistics(extractor, images),
        metrics={**head.metrics, INFORMATION: told},
    )
