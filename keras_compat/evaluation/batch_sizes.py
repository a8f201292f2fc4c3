"""Recombination accuracy by batch size at inference."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_compat.data import Examples, StreamedExamples
from keras_compat.errors import InputError
from keras_compat.evaluation.metrics import accuracy
from keras_compat.evaluation.prediction import using_statistics
from keras_compat.networks import check_interface

BATCH_SIZES = tuple(2**i for i in range(10))
"""Batch sizes 1, 2, 4, ... 512."""
IMAGES = 1024
"""Number of test images, for a standard error below 1.6 points."""

# Number of images in one call, in one or several batches.
_IMAGES_A_CALL = 512


def by_batch_size(
    extractor: keras.Model,
    head: keras.Model,
    examples: Examples | StreamedExamples,
    classes: Iterable[int] | None = None,
    *,
    batch_sizes: Iterable[int] = BATCH_SIZES,
    images: int = IMAGES,
    seed: int = 0,
) -> dict[int, float]:
    """Returns the accuracy of a recombined pair by batch size at inference.

    Each batch is normalized with its own statistics. Small batches share a compiled call.

    Args:
        examples: Test images; labels are the head's class indices, see `common_examples`.
        classes: Classes of the head to predict among, see `recombination_accuracy`.
        batch_sizes: Batch sizes; those above the number of examples are left out.
        images: Maximum number of examples drawn; a last batch that is not full is left out.

    Returns:
        The accuracy, from 0 to 1, by batch size.

    Raises:
        InputError: If the head does not fit the extractor, or a size is below one.

    Source: Gygli et al. 2021, B.1, on batch statistics; the curve is ours.

    Example:

    >>> from keras_compat.data import Examples
    >>> from keras_compat.layers import BatchStatisticsNormalization
    >>> images = keras.Input((2, 2, 1))
    >>> extractor = keras.Model(images, BatchStatisticsNormalization()(images))
    >>> head = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()])  # 4 classes
    >>> examples = Examples(np.zeros((4, 2, 2, 1), "uint8"), np.arange(4))
    >>> by_batch_size(extractor, head, examples, batch_sizes=[1, 4])  # equal images: one class
    {1: 0.25, 4: 0.25}
    """
    check_interface(extractor, head)
    batch_sizes = list(batch_sizes)
    if min([images, *batch_sizes]) < 1:
        raise InputError(f"images is {images}, batch sizes are {batch_sizes}; expected at least 1")
    pixels, labels = _draw(examples, images, seed)
    classes = None if classes is None else list(classes)
    found = {}
    with using_statistics("batch", extractor, head):
        network = BatchesAtOnce(extractor, head)
        for size in (size for size in batch_sizes if size <= len(pixels)):
            logits = network.logits(pixels, size)
            found[size] = accuracy(
                logits, labels[: len(logits)], classes, restrict=classes is not None
            )
    return found


class BatchesAtOnce(keras.Model):
    """Network that runs several batches in one call, each normalized on its own."""

    def __init__(self, extractor: keras.Model, head: keras.Model):
        super().__init__()
        self.extractor, self.head = extractor, head

    def call(self, batches: Any) -> Any:
        """Maps images `[batches, batch, H, W, C]` to logits `[batches, batch, classes]`."""
        return ops.vectorized_map(
            lambda images: self.head(self.extractor(images, training=False), training=False),
            batches,
        )

    def logits(self, images: np.ndarray, batch_size: int) -> np.ndarray:
        """Returns the logits of all images in full batches, in their order."""
        batches = images[: len(images) // batch_size * batch_size]
        batches = batches.reshape(-1, batch_size, *images.shape[1:]).astype("float32")
        at_once = max(_IMAGES_A_CALL // batch_size, 1)
        calls = [batches[i : i + at_once] for i in range(0, len(batches), at_once)]
        logits = np.concatenate([self.predict_on_batch(each) for each in calls])
        return logits.reshape(-1, logits.shape[-1])


def _draw(
    examples: Examples | StreamedExamples, count: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    found: list[tuple[np.ndarray, np.ndarray]] = []
    for batch in examples.evaluation_batches(_IMAGES_A_CALL, seed):
        found.append(batch)
        if sum(len(labels) for _, labels in found) >= count:
            break
    images, labels = (np.concatenate(parts)[:count] for parts in zip(*found, strict=True))
    return images, labels
