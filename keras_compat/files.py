"""Safe reading of plain files and atomic writing of files and folders."""

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
"""Maximum depth of JSON; files of this package have fewer than ten levels."""


def check_free(path: Path, overwrite: bool) -> None:
    """Raises `InputError` if `path` exists and `overwrite` is False.

    Example:

    >>> check_free(Path("no/such/file"), overwrite=False)
    """
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists; expected a free path, or pass overwrite=True")


def check_writable(path: Path) -> None:
    """Raises `InputError` if `path` cannot be created; to be called before any work.

    Args:
        path: File or folder to be written; its parent folders may be absent.

    Raises:
        InputError: If the name is too long or not UTF-8 (TensorFlow cannot write to such a path),
            or if the nearest existing parent is not a writable folder.

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
    """Yields a temporary path beside `path`, and renames it to `path` at the end of the block.

    After an exception, or if nothing was written, `path` is unchanged. The temporary file or folder
    is removed, with the parent folders that were created for it.

    Args:
        path: File or folder to create or replace; missing parent folders are created.

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
    """Creates a folder and its parents; after an exception, removes those that it created.

    Only empty folders are removed: files that others wrote there meanwhile stay.

    Args:
        folder: Path of the folder; it may exist.

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
    """Renames a file or folder to `path`; a file or folder at `path` is replaced.

    If the renaming fails, `path` is unchanged. The replaced file or folder is removed at the end; a
    warning names it if it cannot be removed.

    Args:
        source: File or folder on the same file system.

    Example:

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "old").write_text("old"), (folder / "new").write_text("new")
    >>> replace(folder / "new", folder / "old")
    >>> [(p.name, p.read_text()) for p in folder.iterdir()]
    [('old', 'new')]
    """
    aside = _hidden(path, "replaced")
    # A folder cannot be renamed onto one that holds files, so the old one is renamed first.
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
    """Removes a file, a link or a whole folder, if it exists.

    Args:
        path: Path to remove; the target of a link stays.

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
    """Copies a folder without pipes and devices; links are copied as links.

    Args:
        left_out: Function from a folder and its names to the names that are left out too.

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
    """Writes a file atomically, even if the process is killed meanwhile.

    Args:
        path: Path of the file; missing parent folders are created, an existing file is replaced.

    Raises:
        OSError: If it cannot be written, for example because `path` is a folder.

    Example:

    >>> import tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "figure.png")
    >>> write_bytes(path, b"png")
    >>> os.path.getsize(path)
    3
    """
    if os.path.isdir(path):  # `replace` would remove it with all its files
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    with written_atomically(path) as temporary, open(temporary, "xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes a text file as UTF-8; see `write_bytes`.

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
    """Opens a plain file for reading in binary mode; a pipe or a device is refused at once.

    Args:
        path: Path of the file; links are followed.

    Raises:
        InputError: If `path` is not a plain file.
        OSError: If it cannot be opened, such as `FileNotFoundError`.

    Example:

    >>> with open_file(os.devnull) as file:
    ...     pass
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: /dev/null is no plain file; expected one, not a folder, ...
    """
    flags = os.O_RDONLY
    # Non-blocking: opening a pipe would wait for a writer.
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
    """Returns the value in an untrusted JSON file.

    Args:
        expected: Words for the expected file, such as `"a metrics.json that an app wrote"`.
        largest: Maximum number of bytes.

    Raises:
        InputError: If the file is absent, not plain, larger, unreadable, not UTF-8, not JSON, or
            nested too deep.

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
    """Returns the value of an untrusted JSON text.

    Args:
        what: Name of the text for messages, such as the path of its file.

    Raises:
        InputError: If the text is not UTF-8, not JSON, or nested too deep.

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
    # A value near Python's limit would end the code that compares or writes it.
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
    """Returns a free hidden path beside `path`, shortened so that its name is never too long."""
    return path.with_name(f".{path.name[:40]}.{uuid.uuid4().hex[:8]}.{suffix}")
