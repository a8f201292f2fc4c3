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
    colour = _in_colour(every_file)
    shape = _common_shape(root, every_file, options, colour)
    train, test = (
        _read_split(files[split], classes, shape, options.image_size) for split in ("train", "test")
    )
    return ImageDataset(
        root.resolve().name, train, test, tuple(classes), look_like_photographs(classes, colour)
    )


def has_class_folders(argument: str) -> bool:
    """Says whether a folder is laid out as `load_folder` takes it: `train/` and `test/`."""
    root = Path(argument).expanduser()
    return all(os.path.isdir(root / split) for split in ("train", "test"))


def load_image_files(argument: str, options: LoadOptions) -> tuple[str, Examples]:
    """Loads every image file in a folder and below it, sorted by path, without labels.

    Returns:
        The folder's name, and the examples with the label -1 each.
    """
    root = Path(argument).expanduser()
    if not os.path.isdir(root):
        raise InputError(f"folder {str(root)!r} does not exist; expected a folder of images")
    try:
        files = _images_below(root)
    except OSError as error:
        raise InputError(f"folder {str(root)!r} cannot be read: {error.strerror}") from error
    if not files:
        raise InputError(
            f"folder {str(root)!r} has no images; expected files ending in {', '.join(SUFFIXES)}"
        )
    shape = _common_shape(root, files, options, _in_colour(files))
    images = _read_files(files, shape, options.image_size)
    return root.resolve().name, Examples(images, np.full(len(files), -1))


def _in_colour(paths: Sequence[Path]) -> bool:
    return not all(_is_grey(path) for path in paths)


def _common_shape(
    root: Path, paths: Sequence[Path], options: LoadOptions, colour: bool
) -> tuple[int, int, int]:
    """Returns the shape that all images are to have, if they fit into memory so."""
    shape = _shape(paths, options.image_size, options.channels or (3 if colour else 1))
    needed = len(paths) * int(np.prod(shape))
    if needed > options.memory_limit_bytes:
        raise InputError(
            f"images in {str(root)!r} take {needed / 2**30:.1f} GiB at {shape[0]} x {shape[1]}; "
            f"the limit is {options.memory_limit_bytes / 2**30:.1f} GiB: give a smaller image_size"
        )
    return shape


def _images_below(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
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
            child.name: _images_below(child)
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
    images = _read_files([path for path, _ in paths], shape, image_size)
    return Examples(images, np.array([label for _, label in paths]))


def _read_files(
    paths: Sequence[Path], shape: tuple[int, int, int], image_size: int | None
) -> np.ndarray:
    images = np.empty((len(paths), *shape), np.uint8)
    for row, path in zip(images, paths, strict=True):
        image = conform_image(_open(path), image_size, shape[2])
        if image.shape != shape:
            raise InputError(
                f"image {str(path)!r} is {image.shape[0]} x {image.shape[1]} where others are "
                f"{shape[0]} x {shape[1]}; expected one size: give an image_size"
            )
        row[...] = image
    return images
