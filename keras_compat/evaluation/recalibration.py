"""Moving statistics of a recombined pair."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_compat.data.batch_sizes import near_equal_sizes
from keras_compat.errors import InputError
from keras_compat.layers import (
    BatchStatisticsNormalization,
    normalization_layers,
    recalibrating,
    set_statistics,
)
from keras_compat.networks import check_interface, copy_model


def recalibrate(
    extractor: keras.Model,
    head: keras.Model,
    images: np.ndarray,
    *,
    keep_extractor: bool = False,
    batch_size: int | None = None,
) -> tuple[keras.Model, keras.Model]:
    """Returns copies of a pair with moving statistics, re-estimated on unlabelled images.

    A deployed network sees one image at a time and needs moving statistics. Those of training do
    not fit a recombined pair, because the head was trained on features of other extractors. The
    statistics of all images as one batch are exact: on these images the copies return the logits
    that the originals return with batch statistics.

    A few hundred images are enough, and memory grows with their number. With `batch_size`, batches
    are normalized with their own statistics, and these are pooled. The statistics of all layers
    but the first are then approximate.

    Args:
        images: Unlabelled images, uint8 `[N, height, width, channels]`, other than test images.
        keep_extractor: Whether `extractor` keeps its moving statistics, and only those of the head
            are measured: for a new head of an extractor that was shipped earlier.
        batch_size: Maximum number of images in a batch; `None` takes all as one batch.

    Returns:
        New `(extractor, head)` that normalize with moving statistics.

    Raises:
        InputError: If the head does not fit the extractor, the images do not fit the extractor, or
            `keep_extractor` is given an extractor that uses batch statistics.

    Source: Gygli et al. 2021, B.1; it replaces the batch statistics at test time of Sec. 4.

    Example:

    >>> inputs = keras.Input((2, 2, 1))
    >>> extractor = keras.Model(inputs, BatchStatisticsNormalization()(inputs))
    >>> head = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()])  # 4 classes
    >>> images = np.random.default_rng(0).integers(0, 256, (4, 2, 2, 1), "uint8")
    >>> extractor, head = recalibrate(extractor, head, images)
    >>> head.predict_on_batch(extractor.predict_on_batch(images[:1])).shape
    (1, 4)
    """
    check_interface(extractor, head)
    images = _checked(images, extractor)
    if keep_extractor and any(x.statistics == "batch" for x in normalization_layers(extractor)):
        raise InputError(
            "keep_extractor=True, but the extractor uses batch statistics; expected one that"
            " recalibrate returned before, or leave keep_extractor out"
        )
    new_extractor, new_head = copy_model(extractor), copy_model(head)
    measured = [new_head] if keep_extractor else [new_extractor, new_head]
    run_extractor, run_head = _inference(new_extractor), _inference(new_head)
    moments = _PooledMoments([layer for model in measured for layer in normalization_layers(model)])
    for batch in _shuffled_batches(images, batch_size):
        with recalibrating(measured):
            run_head(run_extractor(batch.astype("float32")))
        moments.add(len(batch))
    moments.assign()
    set_statistics(new_extractor, "moving")
    set_statistics(new_head, "moving")
    return new_extractor, new_head


class _PooledMoments:
    """Moments of normalization layers, pooled over batches."""

    def __init__(self, layers: list[BatchStatisticsNormalization]):
        self._layers = layers
        self._count = 0
        self._sums = [[0.0, 0.0] for _ in layers]  # of the values and of their squares

    def add(self, count: int) -> None:
        """Adds the current moments of the layers, measured on `count` images."""
        self._count += count
        for layer, sums in zip(self._layers, self._sums, strict=True):
            mean = ops.convert_to_numpy(layer.moving_mean).astype("float64")
            variance = ops.convert_to_numpy(layer.moving_variance).astype("float64")
            sums[0] = sums[0] + count * mean
            sums[1] = sums[1] + count * (variance + mean**2)

    def assign(self) -> None:
        """Assigns the pooled moments to the layers."""
        for layer, (values, squares) in zip(self._layers, self._sums, strict=True):
            mean = values / self._count
            layer.moving_mean.assign(mean)
            layer.moving_variance.assign(squares / self._count - mean**2)


def _shuffled_batches(images: np.ndarray, batch_size: int | None) -> Iterator[np.ndarray]:
    if batch_size is None:
        yield images
        return
    # Shuffled, because a batch of a single class would have other statistics than all images.
    order = np.random.default_rng(0).permutation(len(images))
    ends = np.cumsum(near_equal_sizes(len(images), batch_size))
    for rows in np.split(order, ends[:-1]):
        yield images[rows]


def _inference(model: keras.Model) -> Callable[[Any], Any]:
    """Returns a function that calls a model in inference mode and updates its statistics."""
    if keras.backend.backend() != "jax":
        return lambda inputs: model(inputs, training=False)
    # Without `jit`, JAX compiles every operation for every shape: three to seven times slower.
    import jax

    @jax.jit
    def compiled(trained: list[Any], others: list[Any], inputs: Any) -> tuple[Any, list[Any]]:
        return model.stateless_call(trained, others, inputs, training=False)

    def run(inputs: Any) -> Any:
        outputs, updated = compiled(
            [v.value for v in model.trainable_variables],
            [v.value for v in model.non_trainable_variables],
            inputs,
        )
        for variable, value in zip(model.non_trainable_variables, updated, strict=True):
            variable.assign(value)
        return outputs

    return run


def _checked(images: np.ndarray, extractor: keras.Model) -> np.ndarray:
    images = np.asarray(images)
    expected = tuple(extractor.input_shape[1:])
    fits = images.ndim == 1 + len(expected) and all(
        size in (None, got) for size, got in zip(expected, images.shape[1:], strict=True)
    )
    if not fits or not len(images):
        raise InputError(
            f"images of shape {images.shape}; expected at least one image of shape {expected}"
        )
    return images
