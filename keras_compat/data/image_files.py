"""Reading of untrusted image files: upright, with 8 bits a channel."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError, features

from keras_compat.data.images import to_uint8
from keras_compat.errors import InputError
from keras_compat.files import open_file

# For a broken TIFF, Pillow logs the error that it also raises.
logging.getLogger("PIL.TiffImagePlugin").setLevel(logging.CRITICAL)

# Pillow reads more formats, but EPS starts Ghostscript, and others are rarely tested.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
if "avif" in features.get_supported_modules():
    FORMATS += ("AVIF",)
SUFFIXES = (".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif")

# Factors from the transparent colour of a PNG to the pixel values that Pillow returns.
_TRANSPARENT = {"RGB;16B": 1 / 256, "L;2": 255 / 3, "L;4": 255 / 15}
_GREY = ("1", "L", "LA", "La", "F")
_BITS_PER_SAMPLE = 258  # a tag of TIFF


def open_image(path: Path) -> Image.Image:
    """Reads the first frame of an image file, upright, with white behind transparency.

    Args:
        path: Path of a PNG, JPEG, WebP, BMP, GIF, TIFF or AVIF file, with any suffix.

    Returns:
        An image of mode `L` or `RGB`. 16 bits a channel are reduced to the upper 8.

    Raises:
        InputError: If the file is not plain, has another format, is damaged, has more pixels than
            Pillow considers safe, or has numbers of unknown range.

    Example:

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.png"
    >>> Image.new("RGBA", (4, 3), (0, 0, 0, 0)).save(path)
    >>> open_image(path).getpixel((0, 0))
    (255, 255, 255)
    """
    with _opened(path) as picture:
        rawmode = picture.tile[0][3] if picture.format == "PNG" and picture.tile else None
        if rawmode in _TRANSPARENT and "transparency" in picture.info:
            key = np.floor(np.multiply(picture.info["transparency"], _TRANSPARENT[rawmode]))
            picture.info["transparency"] = tuple(map(int, key)) if key.ndim else int(key)
        depth = _depth(picture)
        image = ImageOps.exif_transpose(picture)
        image.load()
        if image.mode.startswith("I"):
            return _from_integers(image, depth, path)
        if image.mode == "F":
            return Image.fromarray(to_uint8(np.asarray(image), f"image {str(path)!r}"))
        if image.mode == "La":
            image = image.convert("LA")
        if image.has_transparency_data:
            grey = image.mode in _GREY
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
            return image.convert("L" if grey else "RGB")
        return image.convert("L" if image.mode in _GREY else "RGB")


def is_grey(path: Path) -> bool:
    """Returns True if the header of an image file says grey; a palette counts as colour.

    Raises:
        InputError: If the header cannot be read, see `open_image`.
    """
    with _opened(path) as picture:
        return picture.mode in _GREY or picture.mode.startswith("I")


def is_image(path: Path) -> bool:
    """Returns True if the suffix or the content of a file is that of an image.

    Example:

    >>> is_image(Path("cat/holiday.TIF")), is_image(Path("no_such_file.txt"))
    (True, False)
    """
    if path.suffix.lower() in SUFFIXES:
        return True
    try:
        is_grey(path)
    except InputError:
        return False
    return True


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Yields the opened image; any error in the block becomes one line with the path."""
    try:
        with warnings.catch_warnings(), open_file(path) as file:
            warnings.simplefilter("ignore")  # Pillow warns of unusual metadata
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, formats=FORMATS) as picture:
                yield picture
    except InputError:
        raise
    except UnidentifiedImageError:
        raise _unreadable(path, f"it is none of {', '.join(FORMATS)}") from None
    # Decoders raise many errors for a broken file: OSError, SyntaxError, struct.error, ...
    except Exception as error:
        raise _unreadable(path, str(error) or type(error).__name__) from error


def _unreadable(path: Path, reason: str) -> InputError:
    return InputError(f"image {str(path)!r} cannot be read ({reason}); remove it or replace it")


def _depth(picture: Image.Image) -> int | None:
    """Returns the bits of a grey image of integers; `None` if their range is unknown."""
    if picture.format == "PNG" or picture.mode != "I":
        tags = getattr(picture, "tag_v2", {})
        return int(np.max(tags.get(_BITS_PER_SAMPLE, 16)))
    return None


def _from_integers(image: Image.Image, depth: int | None, path: Path) -> Image.Image:
    # Pillow's own conversion clips instead of scaling.
    if depth is None or not 8 < depth <= 16:
        raise InputError(
            f"image {str(path)!r} holds integers of an unknown range; expected 8 or 16 bits a pixel"
        )
    values = np.asarray(image).astype(np.int64)
    pixels = np.rint(values * (255 / (2**depth - 1))).astype(np.uint8)
    if "transparency" in image.info:
        pixels[values == image.info["transparency"]] = 255
    return Image.fromarray(pixels)
