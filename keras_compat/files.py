"""Reading of plain files alone, and files and folders that appear whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from keras_compat.errors import InputError

_DEEPEST = 100
"""Levels of JSON; what this package writes has fewer than ten."""


def check_free(path: Path, overwrite: bool) -> None:
    """Raises `InputError` if something is at `path` and must not be replaced.

    Args:
        path: a file or a folder to be written.
        overwrite: whether it may be replaced.

    Raises:
        InputError: if `path` exists and `overwrite` is False.

    Example:

    >>> check_free(Path("no/such/file"), overwrite=False)
    """
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists; expected a free path, or pass overwrite=True")


def check_writable(path: Path) -> None:
    """Raises `InputError` if nothing can be made at `path`; to be called before any work.

    Args:
        path: a file or a folder to be written; the folders above need not be there.

    Raises:
        InputError: if the name is too long or not UTF-8, which TensorFlow cannot write to, or if
            the folder above is none, or must not be written to.

    Example:

    >>> check_writable(Path("setup.py/below"))
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: setup.py/below cannot be written: .../setup.py is no folder
    """
    above = next(folder for folder in path.absolute().parents if os.path.lexists(folder))
    if not above.is_dir():
        raise InputError(f"{path} cannot be written: {above} is no folder")
    if not os.access(above, os.W_OK | os.X_OK):
        raise InputError(f"{path} cannot be written: no permission to write into {above}")
    try:
        str(path).encode()
        path.lstat()
    except FileNotFoundError:
        return
    except UnicodeEncodeError:
        raise InputError(f"{path} cannot be written: its name is not UTF-8") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"{path} cannot be written: {why}") from None


@contextmanager
def written_atomically(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a temporary path beside `path`; what was written there is renamed at the end.

    After an exception, or if nothing was written, `path` is what it was; the temporary file or
    folder is gone, and so are the folders above that were made for it.

    Args:
        path: the file or folder to make or to replace; the folders above are made.

    Example:

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "a.txt"
    >>> with written_atomically(target) as temporary:
    ...     _ = temporary.write_text("whole")
    >>> target.read_text(), [p.name for p in target.parent.iterdir()]
    ('whole', ['a.txt'])
    """
    path = Path(path)
    with folder_made(path.parent):
        temporary = _hidden(path, "partial")
        try:
            yield temporary
            replace(temporary, path)
        finally:
            remove(temporary)


@contextmanager
def folder_made(folder: Path) -> Iterator[None]:
    """Makes a folder with those above it; after an exception, those that it made are removed.

    Only empty ones are: what others wrote into them meanwhile stays.

    Args:
        folder: Path of the folder; it may be there already.

    Raises:
        OSError: if it cannot be made.

    Example:

    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp())
    >>> with suppress(OSError), folder_made(place / "a" / "b"):
    ...     raise OSError("no space left")
    >>> os.listdir(place)
    []
    """
    made = [place for place in (folder, *folder.parents) if not os.path.lexists(place)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for place in made:
            with suppress(OSError):
                place.rmdir()
        raise


def replace(source: Path, path: Path) -> None:
    """Renames a file or folder to `path`, in place of the file or folder that may be there.

    If that fails, `path` is what it was. What was replaced is removed at the end; if it cannot
    be, a warning says where it lies.

    Args:
        source: what to rename, in the same file system.
        path: its new place.

    Raises:
        OSError: if it cannot be renamed.

    Example:

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "old").write_text("old"), (folder / "new").write_text("new")
    >>> replace(folder / "new", folder / "old")
    >>> [(p.name, p.read_text()) for p in folder.iterdir()]
    [('old', 'new')]
    """
    aside = _hidden(path, "replaced")
    # A folder cannot be renamed onto one that holds files, so the old one steps aside.
    if path.is_dir():
        os.rename(path, aside)
    try:
        os.replace(source, path)
    except BaseException:
        if aside.exists():
            os.rename(aside, path)
        raise
    try:
        remove(aside)
    except OSError as error:
        warnings.warn(f"{aside} was replaced and cannot be removed: {error}", stacklevel=2)


def remove(path: Path) -> None:
    """Removes a file, a link or a whole folder, if there is one.

    Args:
        path: what to remove; of a link, only the link is.

    Raises:
        OSError: if it cannot be removed.

    Example:

    >>> remove(Path("no/such/file"))
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def copy_plain(
    source: Path,
    target: Path,
    left_out: Callable[[str, list[str]], set[str]] = lambda folder, names: set(),
) -> None:
    """Copies a folder with all that is plain in it: no pipes and devices, and links as links.

    Args:
        source: The folder.
        target: A free path.
        left_out: Function that returns which names of a folder to leave out too.

    Raises:
        OSError: if something cannot be read or written.

    Example:

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "a").mkdir(), os.mkfifo(folder / "a" / "pipe")
    (None, None)
    >>> copy_plain(folder / "a", folder / "b")
    >>> os.listdir(folder / "b")
    []
    """

    def ignored(folder: str, names: list[str]) -> set[str]:
        modes = {name: os.lstat(os.path.join(folder, name)).st_mode for name in names}
        plain = (stat.S_ISREG, stat.S_ISDIR, stat.S_ISLNK)
        special = {name for name, mode in modes.items() if not any(is_a(mode) for is_a in plain)}
        return special | left_out(folder, names)

    try:
        shutil.copytree(source, target, symlinks=True, ignore=ignored)
    except shutil.Error as error:
        first, _, why = error.args[0][0]
        raise OSError(errno.EIO, why, first) from None


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Writes a file, whole or not at all, also when the process dies meanwhile.

    Args:
        path: the file; the folders above are made. A file that is there is replaced.
        content: its bytes.

    Raises:
        OSError: if it cannot be written, as where a folder is.

    Example:

    >>> import tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "figure.png")
    >>> write_bytes(path, b"png")
    >>> os.path.getsize(path)
    3
    """
    if os.path.isdir(path):  # which would be replaced with all that is in it
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    with written_atomically(path) as temporary, open(temporary, "xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes a text file, whole or not at all, also when the process dies meanwhile.

    Args:
        path: the file; the folders above are made. A file that is there is replaced.
        text: its content, written as UTF-8.

    Example:

    >>> import tempfile, os
    >>> folder = tempfile.mkdtemp()
    >>> write_text(os.path.join(folder, "report.md"), "# Report")
    >>> os.listdir(folder)
    ['report.md']
    """
    write_bytes(path, text.encode("utf-8"))


@contextmanager
def open_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Opens a plain file for reading; a pipe or a device is refused, not waited for.

    Args:
        path: Path of the file; links are followed.

    Yields:
        The open file, in binary mode.

    Raises:
        InputError: if there is something other than a plain file.
        OSError: if it cannot be opened, such as `FileNotFoundError`.

    Example:

    >>> with open_file(os.devnull) as file:
    ...     pass
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: /dev/null is no plain file; expected one, not a folder, ...
    """
    flags = os.O_RDONLY
    # Not blocking: opening a pipe would wait for someone to write.
    for flag in ("O_NONBLOCK", "O_BINARY", "O_CLOEXEC"):
        flags |= getattr(os, flag, 0)
    try:
        handle = os.open(path, flags)
    except ValueError as error:  # a zero byte
        raise InputError(f"{os.fspath(path)!r} is no path of a file: {error}") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise InputError(
            f"{os.fspath(path)} is no plain file; expected one, not a folder, a pipe or a device"
        )
    with open(handle, "rb") as file:
        yield file


def read_json(path: str | os.PathLike[str], expected: str, largest: int = 1 << 30) -> Any:
    """Reads a JSON file, from whomever it comes.

    Args:
        path: Path of the file.
        expected: Words for what the file should be, such as `"a metrics.json that an app wrote"`.
        largest: Number of bytes that the file may have.

    Returns:
        The value that the file holds.

    Raises:
        InputError: if there is no such file or no plain one, if it is larger, cannot be read, is
            not UTF-8, is not JSON, or is nested too deep.

    Example:

    >>> read_json("no_such.json", "a manifest")
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: no_such.json cannot be read (No such file or directory); ...
    """
    where = os.fspath(path)
    try:
        with open_file(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > largest:
                raise InputError(
                    f"{where} has {size} bytes, {largest} at most; expected {expected}"
                )
            content = file.read(size)
    except OSError as error:
        raise InputError(
            f"{where} cannot be read ({error.strerror}); expected {expected}"
        ) from None
    return parse_json(content, where, expected)


def parse_json(content: str | bytes, what: str, expected: str) -> Any:
    """Reads JSON text, from whomever it comes.

    Args:
        content: Text, or its bytes as UTF-8.
        what: Name of the text for messages, such as the path of its file.
        expected: Words for what it should be.

    Returns:
        The value that the text holds.

    Raises:
        InputError: if it is not UTF-8, is not JSON, or is nested too deep.

    Example:

    >>> parse_json(b"[" * 100_000, "a.json", "a list")
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: a.json is nested too deep; expected a list
    """
    deep = InputError(f"{what} is nested too deep; expected {expected}")
    try:
        value = json.loads(content.decode("utf-8") if isinstance(content, bytes) else content)
    except RecursionError:
        raise deep from None
    except UnicodeDecodeError as error:
        raise InputError(f"{what} is not UTF-8 ({error.reason}); expected {expected}") from None
    except ValueError as error:
        raise InputError(f"{what} is not JSON ({error}); expected {expected}") from None
    # What is read only just would end those who compare it or write it again.
    if _is_deeper(value, _DEEPEST):
        raise deep
    return value


def _is_deeper(value: Any, levels: int) -> bool:
    inside = [value]
    for _ in range(levels):
        inside = [
            item
            for outer in inside
            if isinstance(outer, dict | list)
            for item in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not inside:
            return False
    return True


def _hidden(path: Path, suffix: str) -> Path:
    """A free name beside `path`, of which a long name does not make too long a one."""
    return path.with_name(f".{path.name[:40]}.{uuid.uuid4().hex[:8]}.{suffix}")
