"""Recombines extractors and heads."""

from __future__ import annotations

import keras

from keras_compat.errors import InputError
from keras_compat.networks.structure import input_structure, one_shape

Shape = tuple[int | None, ...]


def feature_interface(extractor: keras.Model) -> Shape:
    """Returns the shape of the features that an extractor emits for one image.

    Returns:
        Height, width and channels; None for a size that depends on the image.

    Raises:
        InputError: The extractor has no shape yet, or several outputs.

    Example:

    >>> from keras_compat import networks
    >>> feature_interface(networks.build_extractor("resnet8", (32, 32, 3), seed=0))
    (16, 16, 64)
    """
    return one_shape(extractor, "output")


def check_interface(extractor: keras.Model, head: keras.Model) -> None:
    """Raises an `InputError` if a head cannot take the features of an extractor.

    Args:
        head: A model with one input; a size of None takes any.

    Example:

    >>> features = keras.Input((8, 8, 16))
    >>> extractor = keras.Model(features, features, name="a")
    >>> images = keras.Input((None, None, 64))
    >>> check_interface(extractor, keras.Model(images, images, name="b"))
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: extractor 'a' emits (8, 8, 16), but head 'b' takes \
(None, None, 64); build both with the same interface channels
    """
    emitted, taken = feature_interface(extractor), one_shape(head, "input")
    fits = len(emitted) == len(taken) and all(
        b is None or a == b for a, b in zip(emitted, taken, strict=True)
    )
    if not fits:
        raise InputError(
            f"extractor {extractor.name!r} emits {emitted}, but head {head.name!r} takes {taken}; "
            "build both with the same interface channels"
        )


def recombine(extractor: keras.Model, head: keras.Model, name: str | None = None) -> keras.Model:
    """Joins an extractor and a head, from the same network or not.

    Returns:
        A functional model from images to logits that shares the weights of both parts.

    Raises:
        InputError: The head does not take the extractor's features (the message names both
            shapes), one of them has no shape yet, or both have the same name.

    Example:

    >>> from keras_compat import networks
    >>> extractor = networks.build_extractor("resnet8", (16, 16, 1), seed=0)
    >>> head = networks.build_head("mobilenet_v2_small", classes=5, seed=0)
    >>> recombine(extractor, head).output_shape
    (None, 5)
    """
    check_interface(extractor, head)
    if extractor.name == head.name:
        raise InputError(f"extractor and head are both named {head.name!r}; rename one of them")
    images = keras.tree.map_structure(
        # A sequential model that a call built has the size of that batch.
        lambda x: keras.Input(x.shape[1:], dtype=x.dtype, name=x.name),
        input_structure(extractor),
    )
    return keras.Model(
        images, head(extractor(images)), name=name or f"{extractor.name}_{head.name}"
    )


def side_by_side(one: keras.Model, other: keras.Model, name: str) -> keras.Model:
    """Joins two extractors of the same images.

    Returns:
        A functional model from images to the features of both, `[batch, height, width, 2
        channels]`, those of `one` first. It shares the weights of both extractors.

    Raises:
        InputError: Their images or features differ in shape.

    Example:

    >>> from keras_compat import networks
    >>> one = networks.build_extractor("resnet8", (16, 16, 1), seed=0, name="one")
    >>> other = networks.build_extractor("resnet8", (16, 16, 1), seed=1, name="other")
    >>> one.output_shape, side_by_side(one, other, "both").output_shape
    ((None, 8, 8, 64), (None, 8, 8, 128))
    """
    for what, kind in (("input", "images"), ("output", "features")):
        shapes = [one_shape(extractor, what) for extractor in (one, other)]
        if shapes[0] != shapes[1]:
            raise InputError(
                f"extractors {one.name!r} and {other.name!r} have {kind} of {shapes[0]} and "
                f"{shapes[1]}; expected the same shape"
            )
    images = keras.Input(one_shape(one, "input"), name="images")
    features = keras.layers.Concatenate(name="features")([one(images), other(images)])
    return keras.Model(images, features, name=name)
