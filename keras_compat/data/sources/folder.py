"""A folder of image files: `train/` and `test/`, in each a folder a class."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from keras_compat.data.classes import look_like_photographs
from keras_compat.data.dataset import ImageDataset
from keras_compat.data.examples import Examples
from keras_compat.data.images import conform_image
from keras_compat.data.options import LoadOptions, sources
from keras_compat.errors import InputError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")


@sources.register("folder:PATH")
def load_folder(argument: str, options: LoadOptions) -> ImageDataset:
    """Loads PNG, JPEG, WebP, BMP and GIF (its first frame) files; a class is a folder's name."""
    root = Path(argument).expanduser()
    files = {split: _files(root, split) for split in ("train", "test")}
    classes = sorted(files["train"])
    different = sorted(set(classes) ^ set(files["test"]))
    if different:
        raise InputError(
            f"{str(root / 'train')!r} and {str(root / 'test')!r} have different class folders: "
            f"{', '.join(different[:5])} in one of them only; expected the same"
        )
    if len(classes) < 2:
        raise InputError(
            f"{str(root / 'train')!r} has one class ({classes[0]}); expected at least two folders"
        )
    every_file = [path for split in files.values() for paths in split.values() for path in paths]
    colour = not all(_is_grey(path) for path in every_file)
    channels = options.channels or (3 if colour else 1)
    shape = _shape(every_file, options.image_size, channels)
    needed = len(every_file) * int(np.prod(shape))
    if needed > options.memory_limit_bytes:
        raise InputError(
            f"images in {str(root)!r} take {needed / 2**30:.1f} GiB at {shape[0]} x {shape[1]}; "
            f"the limit is {options.memory_limit_bytes / 2**30:.1f} GiB: give a smaller image_size"
        )
    train, test = (
        _read_split(files[split], classes, shape, options.image_size) for split in ("train", "test")
    )
    return ImageDataset(
        root.resolve().name, train, test, tuple(classes), look_like_photographs(classes, colour)
    )


def _files(root: Path, split: str) -> dict[str, list[Path]]:
    """Returns the image files of each class folder of a split, sorted by name."""
    folder = root / split
    if not os.path.isdir(folder):
        raise InputError(
            f"folder {str(folder)!r} does not exist; "
            f"expected {str(root)!r} to hold train/ and test/, each with a folder a class"
        )
    try:
        files = {
            child.name: sorted(
                path
                for path in child.rglob("*")
                if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
            )
            for child in folder.iterdir()
            if child.is_dir() and not child.name.startswith(".")
        }
    except OSError as error:
        raise InputError(f"folder {str(folder)!r} cannot be read: {error.strerror}") from error
    if not files:
        raise InputError(f"folder {str(folder)!r} has no class folders; expected at least two")
    empty = [name for name, paths in files.items() if not paths]
    if empty:
        raise InputError(
            f"class folder {str(folder / min(empty))!r} has no images; "
            f"expected files ending in {', '.join(SUFFIXES)}"
        )
    return files


def _open(path: Path) -> Image.Image:
    """Reads one file whole, upright and with 8 bits a channel, transparency over white."""
    try:
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file)
            image.load()
    # Decoders raise whatever a broken file leads them to: OSError, SyntaxError, struct.error, ...
    except Exception as error:
        raise InputError(
            f"image {str(path)!r} cannot be read ({error}); remove it or replace it"
        ) from error
    if image.mode.startswith("I"):
        # A 16-bit PNG. Pillow's own conversion clips instead of scaling.
        return Image.fromarray((np.asarray(image).astype(np.float64) / 257).round().astype("uint8"))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image


def _is_grey(path: Path) -> bool:
    """Tells from the header whether a file is grey; a palette counts as colour."""
    try:
        with Image.open(path) as image:
            return image.mode in ("1", "L", "LA") or image.mode.startswith("I")
    except Exception as error:
        raise InputError(
            f"image {str(path)!r} cannot be read ({error}); remove it or replace it"
        ) from error


def _shape(paths: Sequence[Path], image_size: int | None, channels: int) -> tuple[int, int, int]:
    if image_size is not None:
        return (image_size, image_size, channels)
    width, height = _open(paths[0]).size
    return (height, width, channels)


def _read_split(
    files: dict[str, list[Path]],
    classes: Sequence[str],
    shape: tuple[int, int, int],
    image_size: int | None,
) -> Examples:
    paths = [(path, label) for label, name in enumerate(classes) for path in files[name]]
    images = np.empty((len(paths), *shape), np.uint8)
    for row, (path, _) in zip(images, paths, strict=True):
        image = conform_image(_open(path), image_size, shape[2])
        if image.shape != shape:
            raise InputError(
                f"image {str(path)!r} is {image.shape[0]} x {image.shape[1]} where others are "
                f"{shape[0]} x {shape[1]}; expected one size: give an image_size"
            )
        row[...] = image
    return Examples(images, np.array([label for _, label in paths]))
