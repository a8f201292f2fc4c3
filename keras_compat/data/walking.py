"""The files of a folder from whomever it comes, links followed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from keras_compat.errors import InputError


def files_below(folder: Path, left_out: Callable[[Path], bool] = lambda path: False) -> list[Path]:
    """Returns everything in a folder and below it that is not a folder, sorted by path.

    Links are followed. Each folder is read once, and none that holds `folder`, so that links
    which lead back end.

    Args:
        folder: Path of the folder.
        left_out: Function that says of a path whether it is passed over; of a folder, so is all
            in it.

    Raises:
        InputError: if a folder cannot be read.

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
    """Returns what is in a folder, sorted by name.

    Raises:
        InputError: if it cannot be read.

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
