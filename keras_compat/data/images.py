"""Images of any kind to the one kind used here: uint8, channels last, one size."""

from __future__ import annotations

import numpy as np
from PIL import Image

from keras_compat.errors import InputError


def to_uint8(values: np.ndarray, where: str) -> np.ndarray:
    """Converts image values to uint8, refusing what could be meant in two ways.

    Args:
        values: integers in [0, 255] or floats in [0, 1], any shape.
        where: what the values are, for the error message.

    Returns:
        uint8 of the same shape; floats are scaled by 255 and rounded.

    Raises:
        InputError: on any other type, NaN, or values out of range.

    Example:

    >>> to_uint8(np.array([0.0, 0.5, 1.0]), "x_train").tolist()
    [0, 128, 255]
    """
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind not in "iuf":
        raise InputError(
            f"{where} is of type {values.dtype}; expected integers in [0, 255] or floats in [0, 1]"
        )
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
        return np.rint(values * 255).astype(np.uint8)
    if low < 0 or high > 255:
        raise InputError(f"{where} has integers in [{low}, {high}]; expected [0, 255]")
    return values.astype(np.uint8)


def conform_image(image: Image.Image, image_size: int | None, channels: int) -> np.ndarray:
    """Brings one image to a size and a number of channels.

    Args:
        image: any image that Pillow can convert to `L` or `RGB`.
        image_size: height and width of the result in pixels; `None` keeps the image's.
        channels: 1 (grey, ITU-R 601 luma) or 3.

    Returns:
        uint8 `[H, W, channels]`; resizing is bilinear, antialiased where it shrinks.

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
    """Brings an array of images to a size and a number of channels.

    Args:
        images: uint8 `[N, H, W, 1 or 3]`.
        image_size: height and width of the result in pixels; `None` keeps them.
        channels: 1 or 3; `None` keeps them.

    Returns:
        uint8 `[N, H, W, C]`; the same array where nothing is to be done.

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
