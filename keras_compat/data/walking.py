"""Listing of the files of an untrusted folder, with links followed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from keras_compat.errors import InputError


def files_below(folder: Path, left_out: Callable[[Path], bool] = lambda path: False) -> list[Path]:
    """Returns all files in a folder and its subfolders, sorted by path.

    Links are followed. Each folder is read once, and no parent of `folder` is read, so that links
    to earlier folders end.

    Args:
        left_out: Function that returns True for a file or folder to leave out.

    Raises:
        InputError: If a folder cannot be read.

    Example:

    >>> import tempfile
    >>> root = Path(tempfile.mkdtemp())
    >>> (root / "back").symlink_to(root)
    >>> (root / "a.txt").touch()
    >>> [path.name for path in files_below(root)]
    ['a.txt']
    """
    read = {_identity(above) for above in (folder, *Path(os.path.realpath(folder)).parents)}
    found, waiting = [], [folder]
    while waiting:
        for path in children(waiting.pop()):
            if left_out(path):
                continue
            if not os.path.isdir(path):
                found.append(path)
            elif (identity := _identity(path)) not in read:
                read.add(identity)
                waiting.append(path)
    return sorted(found)


def children(folder: Path) -> list[Path]:
    """Returns the files and folders in a folder, sorted by name.

    Raises:
        InputError: If it cannot be read.

    Example:

    >>> children(Path("no/such/folder"))
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: folder 'no/such/folder' cannot be read: No such file or ...
    """
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"folder {str(folder)!r} cannot be read: {error.strerror}") from None


def _identity(folder: Path) -> tuple[int, int]:
    status = os.stat(folder)
    return status.st_dev, status.st_ino
