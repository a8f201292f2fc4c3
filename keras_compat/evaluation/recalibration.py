"""Moving statistics for a recombined pair."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_compat.data.examples import near_equal_sizes
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
    """Copies a pair and gives the copies moving statistics that fit each other.

    A deployed network sees one image at a time and needs moving statistics. Those of training are
    wrong for a pair that was recombined: the head met features of other extractors. So they are
    measured again, on all images as one batch: the exact statistics, no running average. On these
    images the copies give the logits that the originals give with batch statistics.

    A few hundred images are enough; memory grows with their number, since they are one batch. For
    more, `batch_size` measures them in parts, each normalized with its own statistics, and pools
    these: all but the first layer's are then approximate.

    Args:
        extractor: takes images, float32 `[batch, height, width, channels]` in [0, 255].
        head: takes what `extractor` emits and returns logits.
        images: unlabelled images, uint8 `[N, height, width, channels]`; none of the test images.
        keep_extractor: keep the moving statistics that `extractor` is in use with, and measure
            only the head's behind it. For a new head that joins an extractor shipped earlier.
        batch_size: images a part at most; `None` takes all at once.

    Returns:
        New `(extractor, head)` that normalize with moving statistics. The originals are as before.

    Raises:
        InputError: if the head does not take what the extractor emits, the images do not fit the
            extractor, or `keep_extractor` is given an extractor that uses batch statistics.

    Source: Gygli et al. 2021, Sec. 4 (batch statistics at test time, which this replaces) and B.1.

    Example:

    >>> from keras_compat import networks
    >>> extractor = networks.build_extractor("mobilenet_v2_small", (8, 8, 1), seed=0)
    >>> head = networks.build_head("mobilenet_v2_small", classes=3, seed=0)
    >>> images = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 1), "uint8")
    >>> extractor, head = recalibrate(extractor, head, images)
    >>> head.predict_on_batch(extractor.predict_on_batch(images[:1])).shape
    (1, 3)
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
    """The moments that normalization layers measured on batches, as those of all batches."""

    def __init__(self, layers: list[BatchStatisticsNormalization]):
        self._layers = layers
        self._count = 0
        self._sums = [[0.0, 0.0] for _ in layers]  # of the values and of their squares

    def add(self, count: int) -> None:
        """Adds what the layers hold now, measured on `count` images."""
        self._count += count
        for layer, sums in zip(self._layers, self._sums, strict=True):
            mean = ops.convert_to_numpy(layer.moving_mean).astype("float64")
            variance = ops.convert_to_numpy(layer.moving_variance).astype("float64")
            sums[0] = sums[0] + count * mean
            sums[1] = sums[1] + count * (variance + mean**2)

    def assign(self) -> None:
        """Gives the layers the moments of all batches."""
        for layer, (values, squares) in zip(self._layers, self._sums, strict=True):
            mean = values / self._count
            layer.moving_mean.assign(mean)
            layer.moving_variance.assign(squares / self._count - mean**2)


def _shuffled_batches(images: np.ndarray, batch_size: int | None) -> Iterator[np.ndarray]:
    if batch_size is None:
        yield images
        return
    # A batch of a single class would have other statistics than all images.
    order = np.random.default_rng(0).permutation(len(images))
    ends = np.cumsum(near_equal_sizes(len(images), batch_size))
    for rows in np.split(order, ends[:-1]):
        yield images[rows]


def _inference(model: keras.Model) -> Callable[[Any], Any]:
    """Returns a function that calls a model in inference, updates of its statistics included."""
    if keras.backend.backend() != "jax":
        return lambda inputs: model(inputs, training=False)
    # One by one, JAX would compile every operation for every shape: three to seven times slower.
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
