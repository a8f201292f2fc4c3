"""Conversion of images to uint8, channels last, of one size."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from PIL import Image

from keras_compat.errors import InputError

# Integers whose highest is below this value have another range than [0, 255].
_DARKEST = 64


def to_uint8(values: np.ndarray, where: str) -> np.ndarray:
    """Converts image values to uint8 and refuses ambiguous values.

    Args:
        values: Integers in [0, 255], floats in [0, 1] or booleans, any shape.
        where: Words for the values, for the error message.

    Returns:
        uint8 of the same shape; floats are scaled by 255 and rounded, True is 255.

    Raises:
        InputError: If the values have another dtype, are NaN, are out of range, or would be nearly
            black (`check_bright`), as values from 0 to 1 or 0 to 16 would be.

    Example:

    >>> to_uint8(np.array([0.0, 0.5, 1.0]), "x_train").tolist()
    [0, 128, 255]
    >>> to_uint8(np.array([0, 1]), "x_train")
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: x_train has integers of at most 1, which are nearly black in
    [0, 255]; scale them to that range, or store floats in [0, 1]: divided by 255 if they are dark
    """
    if values.dtype.kind not in "biuf" or values.dtype == np.int8:  # int8 cannot be white
        raise InputError(
            f"{where} is of type {values.dtype}; expected integers in [0, 255] or floats in [0, 1]"
        )
    if values.dtype.kind == "b":
        return np.where(values, np.uint8(255), np.uint8(0))
    if values.size == 0:
        return values.astype(np.uint8)
    low, high = values.min(), values.max()
    if values.dtype.kind == "f":
        if not (np.isfinite(low) and np.isfinite(high)):
            raise InputError(f"{where} has NaN or infinite values; expected floats in [0, 1]")
        if low < 0 or high > 1:
            raise InputError(
                f"{where} has floats in [{low:g}, {high:g}]; expected floats in [0, 1]: "
                "scale them, or store uint8"
            )
        if 0 < high <= 1 / 255:
            raise InputError(
                f"{where} has floats of at most {high:g}, which are nearly black in [0, 1]; "
                "scale them to that range once"
            )
        scaled = np.multiply(values, 255, dtype=np.result_type(values, np.float32))
        return np.rint(scaled, out=scaled).astype(np.uint8)
    if low < 0 or high > 255:
        raise InputError(
            f"{where} has integers in [{low}, {high}]; expected [0, 255]: scale them, "
            "or store floats in [0, 1]"
        )
    check_bright([values], where)
    return values.astype(np.uint8, copy=False)


def check_bright(images: Iterable[np.ndarray], where: str) -> None:
    """Raises `InputError` if the highest of all values is above 0 and below 64.

    Such values have a smaller range than [0, 255]. Images that are all black pass.

    Args:
        images: Arrays of integers from 0, read until a value is 64 or more.

    Example:

    >>> check_bright([np.array([0, 16]), np.array([200])], "x_train")
    """
    if high := highest_if_dark(images):
        raise InputError(
            f"{where} has integers of at most {high}, which are nearly black in [0, 255]; scale "
            "them to that range, or store floats in [0, 1]: divided by 255 if they are dark"
        )


def highest_if_dark(images: Iterable[np.ndarray]) -> int:
    """Returns the highest of all values if it is below 64, else 0.

    Example:

    >>> highest_if_dark([np.array([0, 16])]), highest_if_dark([np.array([0, 16]), np.array([200])])
    (16, 0)
    """
    high = 0
    for image in images:
        high = max(high, int(image.max(initial=0)))
        if high >= _DARKEST:
            return 0
    return high


def conform_image(image: Image.Image, image_size: int | None, channels: int) -> np.ndarray:
    """Converts one image to a size and a number of channels.

    Args:
        image: Image that Pillow can convert to `L` or `RGB`.
        image_size: Height and width of the result in pixels; `None` keeps those of the image.
        channels: 1 (grey, ITU-R 601 luma) or 3.

    Returns:
        uint8 `[H, W, channels]`; resizing is bilinear, with antialiasing when it shrinks.

    Example:

    >>> conform_image(Image.new("RGB", (40, 30)), 8, 1).shape
    (8, 8, 1)
    """
    image = image.convert("L" if channels == 1 else "RGB")
    if image_size is not None and image.size != (image_size, image_size):
        image = image.resize((image_size, image_size), Image.Resampling.BILINEAR)
    array = np.asarray(image)
    return array[..., np.newaxis] if channels == 1 else array


def conform(images: np.ndarray, image_size: int | None, channels: int | None) -> np.ndarray:
    """Converts an array of images to a size and a number of channels.

    Args:
        images: uint8 `[N, H, W, 1 or 3]`.
        image_size: Height and width of the result in pixels; `None` keeps them.
        channels: 1 or 3; `None` keeps them.

    Returns:
        uint8 `[N, H, W, C]`; the same array if it has that size and those channels.

    Example:

    >>> conform(np.zeros((5, 8, 6, 1), "uint8"), 16, 3).shape
    (5, 16, 16, 3)
    """
    count, height, width, source_channels = images.shape
    channels = channels or source_channels
    size = (image_size, image_size) if image_size else (height, width)
    if size == (height, width) and channels == source_channels:
        return images
    result = np.empty((count, *size, channels), np.uint8)
    for row, image in zip(result, images, strict=True):
        pillow = Image.fromarray(image[..., 0] if source_channels == 1 else image)
        row[...] = conform_image(pillow, image_size, channels)
    return result
