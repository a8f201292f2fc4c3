"""Recombination accuracy by the number of calibration images."""

from __future__ import annotations

from collections.abc import Iterable

import keras

from keras_compat.data import Examples, StreamedExamples
from keras_compat.errors import InputError
from keras_compat.evaluation.recalibration import recalibrate
from keras_compat.evaluation.recombination import recombination_accuracy
from keras_compat.evaluation.signals import some_images

CALIBRATION_IMAGES = tuple(2**i for i in range(4, 13))
"""Numbers of calibration images: 16, 32, ... 4,096."""


def by_calibration_images(
    extractor: keras.Model,
    head: keras.Model,
    calibration: Examples | StreamedExamples,
    examples: Examples | StreamedExamples,
    classes: Iterable[int] | None = None,
    *,
    counts: Iterable[int] = CALIBRATION_IMAGES,
    batch_size: int = 512,
) -> dict[int, float]:
    """Returns the accuracy of a recombined pair with moving statistics, by calibration images.

    `recalibrate` gives the pair moving statistics, so that the prediction for an image does not
    depend on other images. Larger sets of calibration images contain the smaller sets.

    Args:
        calibration: Images for the statistics, other than test images; labels are not used.
        examples: Test images; labels are the head's class indices, see `common_examples`.
        classes: Classes of the head to predict among, see `recombination_accuracy`.
        counts: Numbers of calibration images; those above the size of `calibration` are left out.
        batch_size: Maximum number of test examples in a batch, without effect on the result.

    Returns:
        The accuracy, from 0 to 1, by number of calibration images.

    Raises:
        InputError: If the head does not fit the extractor, or a count is below one.

    Source: Gygli et al. 2021, B.1, with statistics of the whole test set; the curve is ours.

    Example:

    >>> import numpy as np
    >>> from keras_compat.data import Examples
    >>> from keras_compat.layers import BatchStatisticsNormalization
    >>> images = keras.Input((2, 2, 1))
    >>> extractor = keras.Model(images, BatchStatisticsNormalization()(images))
    >>> head = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()])  # 4 classes
    >>> examples = Examples(np.zeros((4, 2, 2, 1), "uint8"), np.arange(4))
    >>> by_calibration_images(extractor, head, examples, examples, counts=[2, 4, 8])
    {2: 0.25, 4: 0.25}
    """
    counts = list(counts)
    if min(counts, default=1) < 1:
        raise InputError(f"counts of images are {counts}; expected at least 1")
    possible = [count for count in counts if count <= len(calibration)]
    found: dict[int, float] = {}
    if not possible:
        return found
    images = some_images(calibration, max(possible))  # shuffled: the first ones are a draw too
    for count in possible:
        calibrated = recalibrate(extractor, head, images[:count])
        found[count] = recombination_accuracy(
            *calibrated, examples, classes=classes, batch_size=batch_size, statistics="moving"
        )
    return found
