"""Checks of an untrusted prepared data set of TensorFlow Datasets on disk.

TFDS imports any module that `features.json` names, and follows the paths in its files. So all
files are checked first, and TFDS reads one folder only.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from keras_compat.data.walking import children, files_below
from keras_compat.errors import InputError
from keras_compat.files import open_file, parse_json, read_json

_EXPECTED = "a data set that TensorFlow Datasets prepared"
_LARGEST_FILE = 1 << 26
# Module of TFDS with all of its own features.
_OWN = re.compile(r"tensorflow_datasets\.core\.features(\.[A-Za-z]\w*)+")
# Keys for the name of a class, as written by TFDS before and since 2022.
_CLASS_KEYS = ("type", "pythonClassName", "python_class_name")
# Content that TFDS would use without a check, such as the path of any file.
_UNCHECKED_KEYS = ("jsonFeature", "json_feature", "names_file")


def check_folder(folder: Path) -> None:
    """Raises `InputError` if a data set has other than plain files and features of TFDS.

    Args:
        folder: Path of a data set or of one version; it may be absent.

    Example:

    >>> check_folder(Path("no/such/folder"))
    """
    for path in files_below(folder) if folder.is_dir() else ():
        if not path.is_file():
            raise InputError(f"{str(path)!r} is no plain file; expected {_EXPECTED}")
        if path.name.casefold() == "features.json":
            _check_features(path, read_json(path, _EXPECTED, _LARGEST_FILE))
        elif path.name.casefold() == "dataset_info.json":
            info = read_json(path, _EXPECTED, _LARGEST_FILE)
            _check_features(path, info.get("features") if isinstance(info, dict) else info)


def version_folder(folder: Path, config: str | None, version: str | None) -> Path | None:
    """Finds the folder of one version of a data set.

    Args:
        config: Name of a configuration; by default the one that the folder names, if any.
        version: Three numbers separated by dots, each of them `*` for any; by default any version.

    Returns:
        The folder of the highest such version with a `features.json`; `None` if there is none.

    Raises:
        InputError: If the metadata of the folder cannot be read.
    """
    config = config or _default_config(folder)
    folder = folder / config if config else folder
    wanted = re.compile(re.escape(version or "*.*.*").replace(r"\*", r"\d+"))
    found = [
        path
        for path in (children(folder) if folder.is_dir() else ())
        if re.fullmatch(r"\d+\.\d+\.\d+", path.name)
        and wanted.fullmatch(path.name)
        and (path / "features.json").exists()
    ]
    return max(found, key=lambda path: tuple(map(int, path.name.split("."))), default=None)


def written_names(folder: Path, label: str) -> tuple[str, ...] | None:
    """Returns the class names in the file beside the records; `None` without that file.

    Args:
        label: Name of the feature with the label.

    Raises:
        InputError: If the file cannot be read.
    """
    path = folder / f"{label.replace('/', '.')}.labels.txt"
    if not path.exists():
        return None
    try:
        with open_file(path) as file:
            lines = file.read(_LARGEST_FILE).decode().split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{str(path)!r} cannot be read ({error}); expected {_EXPECTED}") from None
    return tuple(name.strip() for name in lines if name.strip())


def check_shards(builder: Any) -> None:
    """Raises `InputError` if a record file of a data set is outside its folder.

    Args:
        builder: `tfds.core.DatasetBuilder` of a prepared data set.
    """
    inside = os.path.abspath(builder.data_dir) + os.sep
    for path in (os.fspath(p) for split in builder.info.splits.values() for p in split.filepaths):
        if not os.path.abspath(path).startswith(inside):
            raise InputError(
                f"data set in {os.fspath(builder.data_dir)!r} names the file {path!r}, which is "
                f"not in that folder; expected {_EXPECTED}"
            )


def _default_config(folder: Path) -> str | None:
    path = folder / ".config" / "metadata.json"
    if not path.exists():
        return None
    said = read_json(path, _EXPECTED, _LARGEST_FILE)
    name = said.get("default_config_name") if isinstance(said, dict) else None
    if name is not None and not (isinstance(name, str) and re.fullmatch(r"[\w+-][\w+.-]*", name)):
        raise InputError(
            f"{str(path)!r} names the configuration {name!r}; expected the name of a folder"
        )
    return name


def _check_features(path: Path, features: Any) -> None:
    """Raises `InputError` if JSON names a feature that is not of TFDS."""
    expected = "features of TensorFlow Datasets' own"
    waiting = [features]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        for key, item in value.items() if isinstance(value, dict) else ():
            if key in _UNCHECKED_KEYS:
                raise InputError(
                    f"{str(path)!r} holds {key!r}, which is not read; expected {expected}"
                )
            if key in _CLASS_KEYS and isinstance(item, str) and not _OWN.fullmatch(item):
                raise InputError(
                    f"{str(path)!r} names the class {item!r}, which is not among {expected}; "
                    "a data set that brings code along is not read"
                )
            # In some versions a string with JSON.
            in_text = key == "content" and isinstance(item, str)
            waiting.append(parse_json(item, str(path), expected) if in_text else item)
