"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import uuid
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
def written_atomically(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`; what was written there is renamed at the end.

    After an exception, or if nothing was written, `path` is what it was and the temporary file
    or folder is gone.

    Args:
        path: the file or folder to make or to replace.

    Example:

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "a.txt"
    >>> with written_atomically(target) as temporary:
    ...     _ = temporary.write_text("whole")
    >>> target.read_text(), [p.name for p in target.parent.iterdir()]
    ('whole', ['a.txt'])
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    mark = uuid.uuid4().hex[:8]
    temporary = path.with_name(f".{path.name}.{mark}.partial")
    replaced = path.with_name(f".{path.name}.{mark}.replaced")
    try:
        yield temporary
        # A folder cannot be renamed onto one that holds files, so the old one steps aside.
        if path.is_dir():
            os.rename(path, replaced)
        os.replace(temporary, path)
    finally:
        if replaced.exists() and not path.exists():
            os.rename(replaced, path)
        for leftover in (temporary, replaced):
            if leftover.is_dir():
                shutil.rmtree(leftover)
            else:
                leftover.unlink(missing_ok=True)
