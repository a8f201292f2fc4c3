"""Source `folder:PATH`: image files in `train/` and `test/`, with a folder for each class."""

from __future__ import annotations

import math
import os
import unicodedata
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_compat.data.classes import check_class_names, look_flippable
from keras_compat.data.dataset import ImageDataset
from keras_compat.data.examples import Examples
from keras_compat.data.image_files import SUFFIXES, is_grey, is_image, open_image
from keras_compat.data.images import conform_image, highest_if_dark
from keras_compat.data.options import LoadOptions, short_name, sources
from keras_compat.data.walking import children, files_below
from keras_compat.errors import InputError
from keras_compat.escaping import escape

_HIDDEN = ("__MACOSX", "#recycle", "#snapshot", "$RECYCLE.BIN")


@sources.register("folder:PATH")
def load_folder(argument: str, options: LoadOptions) -> ImageDataset:
    """Loads image files; a class has all images below its folder, and the folder's name.

    Links are followed. Names that begin with `.` or `@`, `__MACOSX`, `#recycle`, `#snapshot` and
    `$RECYCLE.BIN` are hidden: programs keep copies and thumbnails there. Images are recognized by
    suffix or content; a warning of one line lists other files.
    """
    root = Path(os.path.expanduser(argument))
    files = _Files(root)
    classes, splits = files.sorted_into_classes()
    every_file = [path for split in splits.values() for paths in split.values() for path in paths]
    colour = _in_colour(every_file)
    shape = _common_shape(root, every_file, options, colour)
    train, test = (
        _read_split(split, classes, shape, options.image_size) for split in splits.values()
    )
    files.say_what_is_left_out()
    for split, examples in (("train", train), ("test", test)):
        _say_if_dark(root / split, examples.images)
    return ImageDataset(
        short_name(root.resolve().name),
        train,
        test,
        tuple(classes),
        look_flippable(classes, colour),
    )


def has_class_folders(argument: str) -> bool:
    """Returns True if a folder has `train/` and `test/`, as `load_folder` expects."""
    root = Path(os.path.expanduser(argument))
    return all(os.path.isdir(root / split) for split in ("train", "test"))


def load_image_files(argument: str, options: LoadOptions) -> tuple[str, Examples]:
    """Returns the name of a folder and all images below it, sorted by path, with the label -1."""
    root = Path(os.path.expanduser(argument))
    if not os.path.isdir(root):
        raise InputError(f"folder {str(root)!r} does not exist; expected a folder of images")
    files = _Files(root)
    paths = files.images_below(root)
    if not paths:
        raise files.too_few(f"folder {str(root)!r} has no images; expected {_EXPECTED}")
    shape = _common_shape(root, paths, options, _in_colour(paths))
    images = _read_files(paths, shape, options.image_size)
    files.say_what_is_left_out()
    _say_if_dark(root, images)
    return short_name(root.resolve().name), Examples(images, np.full(len(paths), -1))


_EXPECTED = f"files ending in {', '.join(SUFFIXES)}"


class _Files:
    """Image files of a folder, and a record of other files found."""

    def __init__(self, root: Path):
        self._root = root
        self._no_images: list[Path] = []
        self._outside: list[Path] = []
        self._hidden: list[Path] = []

    def sorted_into_classes(self) -> tuple[list[str], dict[str, dict[str, list[Path]]]]:
        """Returns the class names, and the image files of each class by split."""
        splits = {split: self._classes(self._root / split) for split in ("train", "test")}
        classes = sorted(splits["train"])
        different = sorted(set(classes) ^ set(splits["test"]))
        where = [repr(str(self._root / split)) for split in splits]
        if different:
            raise InputError(
                f"{' and '.join(where)} have different class folders: "
                f"{', '.join(different[:5])} in one of them only; expected the same"
            )
        if len(classes) < 2:
            raise self.too_few(
                f"{where[0]} has one class ({classes[0]}); expected at least two folders"
            )
        check_class_names(classes, where[0])
        return classes, splits

    def images_below(self, folder: Path) -> list[Path]:
        """Returns all image files below a folder, sorted by path."""
        found = files_below(folder, self._is_hidden)
        images = [path for path in found if is_image(path)]
        self._no_images += sorted(set(found) - set(images))
        return images

    def say_what_is_left_out(self) -> None:
        """Warns in one line of files that were found but not read."""
        if left_out := self._left_out():
            message = f"left out of folder {str(self._root)!r}: {left_out}"
            warnings.warn(escape(message), stacklevel=3)

    def too_few(self, message: str) -> InputError:
        """Returns an error for too few images or classes, with the files that were left out."""
        left_out = self._left_out()
        return InputError(f"{message}; left out: {left_out}" if left_out else message)

    def _left_out(self) -> str:
        return " and ".join(
            f"{len(paths)} {one if len(paths) == 1 else more} "
            f"(such as {str(paths[0].relative_to(self._root))!r})"
            for paths, one, more in (
                (self._no_images, "file that is no image", "files that are no images"),
                (self._outside, "file outside of class folders", "files outside of class folders"),
                (self._hidden, "hidden folder", "hidden folders"),
            )
            if paths
        )

    def _classes(self, folder: Path) -> dict[str, list[Path]]:
        if not os.path.isdir(folder):
            raise InputError(
                f"folder {str(folder)!r} does not exist; expected {str(self._root)!r} to hold "
                "train/ and test/, each with a folder a class"
            )
        files: dict[str, list[Path]] = {}
        for child in children(folder):
            if self._is_hidden(child):
                continue
            if not child.is_dir():
                self._outside.append(child)
                continue
            images = self.images_below(child)
            if not images:
                raise self.too_few(
                    f"class folder {str(child)!r} has no images; expected {_EXPECTED}"
                )
            # One name has several spellings: an accent may be a character of its own.
            files.setdefault(unicodedata.normalize("NFC", child.name), []).extend(images)
        if not files:
            raise self.too_few(
                f"folder {str(folder)!r} has no class folders; expected at least two"
            )
        return files

    def _is_hidden(self, path: Path) -> bool:
        if not path.name.startswith((".", "@")) and path.name not in _HIDDEN:
            return False
        if path.is_dir():
            self._hidden.append(path)
        return True


def _say_if_dark(folder: Path, images: np.ndarray) -> None:
    """Warns in one line if all images are nearly black, as those of another range are."""
    if high := highest_if_dark(images):
        message = (
            f"the highest pixel of all images in {str(folder)!r} is {high} of 255; if they hold "
            "other values, such as class numbers or 12 of 16 bits, scale them"
        )
        warnings.warn(escape(message), stacklevel=3)


def _in_colour(paths: Sequence[Path]) -> bool:
    return not all(is_grey(path) for path in paths)


def _common_shape(
    root: Path, paths: Sequence[Path], options: LoadOptions, colour: bool
) -> tuple[int, int, int]:
    """Returns the common shape of all images; raises `InputError` if memory does not suffice."""
    size = options.image_size
    width, height = (size, size) if size else open_image(paths[0]).size
    shape = (height, width, options.channels or (3 if colour else 1))
    options.check_memory(
        len(paths) * math.prod(shape), f"images in {str(root)!r} of {height} x {width}"
    )
    return shape


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
        image = conform_image(open_image(path), image_size, shape[2])
        if image.shape != shape:
            raise InputError(
                f"image {str(path)!r} is {image.shape[0]} x {image.shape[1]} where others are "
                f"{shape[0]} x {shape[1]}; expected one size: give an image_size"
            )
        row[...] = image
    return images
