"""An `.npz` file of arrays: the source for anybody's own data, with no TensorFlow."""

from __future__ import annotations

import os
import zipfile
import zlib
from pathlib import Path

import numpy as np

from keras_compat.data.classes import look_like_photographs
from keras_compat.data.dataset import ImageDataset
from keras_compat.data.examples import Examples
from keras_compat.data.images import conform, to_uint8
from keras_compat.data.options import LoadOptions, sources
from keras_compat.errors import InputError

_NAMES = ("classes", "class_names")


@sources.register("npz:PATH")
def load_npz(argument: str, options: LoadOptions) -> ImageDataset:
    """Loads `x_train`, `y_train`, `x_test`, `y_test` and, if there, `classes` or `class_names`."""
    path = Path(argument).expanduser()
    arrays = _read(path)
    splits = {split: _examples(path, arrays, split, options) for split in ("train", "test")}
    names = _class_names(path, arrays, splits)
    named = any(key in arrays for key in _NAMES)
    photographs = named and look_like_photographs(names, arrays["x_train"].shape[3:] == (3,))
    return ImageDataset(path.stem, splits["train"], splits["test"], names, photographs)


def _read(path: Path) -> dict[str, np.ndarray]:
    if not os.path.isfile(path):
        raise InputError(f"npz file {str(path)!r} does not exist; expected a .npz of arrays")
    try:
        # Unpickling runs code that the file brings along.
        loaded = np.load(path, allow_pickle=False)
        if not isinstance(loaded, np.lib.npyio.NpzFile):
            raise InputError(f"{str(path)!r} holds a single array; expected a .npz")
        with loaded as file:
            wanted = ("x_train", "y_train", "x_test", "y_test")
            missing = [key for key in wanted if key not in file]
            if missing:
                raise InputError(
                    f"{str(path)!r} has no {', '.join(missing)}; expected {', '.join(wanted)} "
                    f"and optionally classes; it has {', '.join(file.files) or 'nothing'}"
                )
            arrays = {key: file[key] for key in (*wanted, *_NAMES) if key in file}
    except InputError:
        raise
    except ValueError as error:
        if "pickle" in str(error):
            raise InputError(
                f"{str(path)!r} holds pickled objects, which are refused; "
                "store arrays of numbers, and class names as an array of strings"
            ) from error
        raise InputError(f"{str(path)!r} cannot be read: {error}") from error
    # A header may also claim more than fits into memory.
    except (OSError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{str(path)!r} cannot be read as .npz: {error}") from error
    for key, array in arrays.items():
        if not isinstance(array, np.ndarray):  # NumPy hands over the bytes of what is no array
            raise InputError(f"{key} in {str(path)!r} is no NumPy array; write it with np.savez")
    return arrays


def _examples(
    path: Path, arrays: dict[str, np.ndarray], split: str, options: LoadOptions
) -> Examples:
    images, labels = arrays[f"x_{split}"], arrays[f"y_{split}"]
    if images.ndim == 3:
        images = images[..., np.newaxis]
    if images.ndim != 4 or images.shape[3] not in (1, 3):
        raise InputError(
            f"x_{split} in {str(path)!r} has shape {images.shape}; "
            "expected (N, H, W), (N, H, W, 1) or (N, H, W, 3)"
        )
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise InputError(
            f"y_{split} in {str(path)!r} is {labels.dtype} of shape {labels.shape}; "
            "expected integers of shape (N,)"
        )
    if len(images) != len(labels):
        raise InputError(
            f"{str(path)!r} has {len(images)} images in x_{split} but {len(labels)} labels in "
            f"y_{split}; expected one label an image"
        )
    if len(labels) and (labels.min() < 0 or labels.max() > np.iinfo(np.int32).max):
        wrong = labels.min() if labels.min() < 0 else labels.max()
        raise InputError(f"y_{split} in {str(path)!r} has the label {wrong}; expected 0, 1, ...")
    images = to_uint8(images, f"x_{split} in {str(path)!r}")
    return Examples(conform(images, options.image_size, options.channels), labels)


def _class_names(
    path: Path, arrays: dict[str, np.ndarray], splits: dict[str, Examples]
) -> tuple[str, ...]:
    for key in _NAMES:
        if key in arrays:
            if arrays[key].ndim != 1 or arrays[key].dtype.kind not in "US":
                raise InputError(
                    f"{key} in {str(path)!r} is {arrays[key].dtype} of shape {arrays[key].shape}; "
                    "expected strings of shape (classes,)"
                )
            return tuple(n.decode() if isinstance(n, bytes) else str(n) for n in arrays[key])
    # Train labels alone: a class that only test has shall be an error.
    return tuple(str(c) for c in range(splits["train"].labels.max(initial=-1) + 1))
