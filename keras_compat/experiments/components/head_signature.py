"""Signature of a head: statistics by which its answers on other extractors are judged later."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np

from keras_compat import evaluation
from keras_compat.store import Component

INFORMATION = "information"
"""Name of the metric on the information of a head's answers on its own extractor."""


def described(head: Component, extractor: keras.Model, images: np.ndarray) -> Component:
    """Adds the feature statistics and the information of answers where a head was trained.

    Args:
        head: Component of kind `"head"`.
        extractor: Extractor that the head was trained on.
        images: Some hundred training images, uint8 `[N, height, width, channels]`.

    Returns:
        The component with feature statistics, and with the information of its answers as a metric.
    """
    told = evaluation.information(extractor, head.head, images)
    return replace(
        head,
        feature_statistics=evaluation.channel_statistics(extractor, images),
        metrics={**head.metrics, INFORMATION: told},
    )
