"""Moving statistics for a recombined pair."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from keras_compat.errors import InputError
from keras_compat.layers import normalization_layers, recalibrating, set_statistics
from keras_compat.networks import check_interface, copy_model


def recalibrate(
    extractor: keras.Model,
    head: keras.Model,
    images: np.ndarray,
    *,
    keep_extractor: bool = False,
) -> tuple[keras.Model, keras.Model]:
    """Copies a pair and gives the copies moving statistics that fit each other.

    A deployed network sees one image at a time and needs moving statistics. Those of training are
    wrong for a pair that was recombined: the head met features of other extractors. So they are
    measured again, on all images as one batch: the exact statistics, no running average. On these
    images the copies give the logits that the originals give with batch statistics.

    A few hundred images are enough; memory grows with their number, since they are one batch.

    Args:
        extractor: takes images, float32 `[batch, height, width, channels]` in [0, 255].
        head: takes what `extractor` emits and returns logits.
        images: unlabelled images, uint8 `[N, height, width, channels]`; none of the test images.
        keep_extractor: keep the moving statistics that `extractor` is in use with, and measure
            only the head's behind it. For a new head that joins an extractor shipped earlier.

    Returns:
        New `(extractor, head)` that normalize with moving statistics. The originals are as before.

    Raises:
        InputError: if the head does not take what the extractor emits, the images do not fit the
            extractor, or `keep_extractor` is given an extractor that uses batch statistics.

    Source: Gygli et al. 2021, Sec. 4 (batch statistics at test time, which this replaces).

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
    with recalibrating(measured):
        _run_once(new_head, _run_once(new_extractor, images))
    set_statistics(new_extractor, "moving")
    set_statistics(new_head, "moving")
    return new_extractor, new_head


def _run_once(model: keras.Model, inputs: Any) -> Any:
    """Calls a model in inference, updates of its statistics included."""
    if keras.backend.backend() != "jax":
        return model(inputs, training=False)
    # One by one, JAX would compile every operation for every shape: three to seven times slower.
    import jax

    @jax.jit
    def run(trained: list[Any], others: list[Any], inputs: Any) -> tuple[Any, list[Any]]:
        return model.stateless_call(trained, others, inputs, training=False)

    outputs, updated = run(
        [v.value for v in model.trainable_variables],
        [v.value for v in model.non_trainable_variables],
        inputs,
    )
    for variable, value in zip(model.non_trainable_variables, updated, strict=True):
        variable.assign(value)
    return outputs


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
    return images.astype("float32")
