"""Checks, before any work, that devices' folders and archives can be written."""

from __future__ import annotations

import os
import re
from pathlib import Path

from keras_compat.errors import InputError
from keras_compat.files import check_writable
from keras_compat.updates.device_client import UpdateError, read_device

# Files that `install` and the client write into a device's folder.
_INSTALLED = re.compile(
    r"(device|state)\.json(\.new)?|extractor\.(tflite|json)|\.lock"
    r"|heads(/([0-9]+|incoming)(/(head\.tflite|(update|installed)\.json))?)?"
)


def check_archive(path: str | Path, overwrite: bool) -> None:
    """Raises `InputError` if an archive cannot be written to a path.

    Args:
        overwrite: Whether an existing file is replaced; anything else never is.

    Example:

    >>> check_archive("no/such/digits-7.zip", overwrite=False)
    """
    path = Path(path)
    check_writable(path)
    if not os.path.lexists(path):
        return
    if path.is_symlink() or not path.is_file():
        what = "link" if path.is_symlink() else "folder" if path.is_dir() else "special file"
        raise InputError(f"{path} is a {what}; expected a free path, or a file to replace")
    if not overwrite:
        raise InputError(f"{path} exists; expected a free path, or pass overwrite=True")


def check_device_folder(path: str | Path, overwrite: bool) -> None:
    """Raises `InputError` if a device's folder cannot be written to a path.

    Args:
        overwrite: Whether an existing device's folder is replaced; only if it holds nothing else.

    Example:

    >>> check_device_folder("no/such/phone", overwrite=False)
    """
    path = Path(path)
    check_writable(path)
    if not os.path.lexists(path):
        return
    if path.is_symlink() or not path.is_dir():
        raise InputError(f"{path} is no folder; expected a free path, or a device's folder")
    if not overwrite:
        raise InputError(f"{path} exists; expected a free path, or pass overwrite=True")
    try:
        read_device(path)
    except UpdateError as error:
        raise InputError(
            f"{path} is not replaced, since it is no device's folder ({error}); remove it "
            "first, or give another path"
        ) from None
    for found in sorted(path.rglob("*")):
        name = found.relative_to(path).as_posix()
        if found.is_symlink() or not _INSTALLED.fullmatch(name):
            raise InputError(
                f"{path} is not replaced, since it holds {name!r}, which is not a device's; remove "
                "that first, or give another path"
            )
