"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from keras_compat.errors import InputError


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


@contextmanager
def written_atomically(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a temporary path beside `path`; what was written there is renamed at the end.

    After an exception, or if nothing was written, `path` is what it was and the temporary file
    or folder is gone.

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
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _hidden(path, "partial")
    try:
        yield temporary
        replace(temporary, path)
    finally:
        remove(temporary)


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


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Writes a file, whole or not at all, also when the process dies meanwhile.

    Args:
        path: the file; the folders above are made. A file that is there is replaced.
        content: its bytes.

    Example:

    >>> import tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "figure.png")
    >>> write_bytes(path, b"png")
    >>> os.path.getsize(path)
    3
    """
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


def _hidden(path: Path, suffix: str) -> Path:
    """A free name beside `path`, of which a long name does not make too long a one."""
    return path.with_name(f".{path.name[:40]}.{uuid.uuid4().hex[:8]}.{suffix}")
