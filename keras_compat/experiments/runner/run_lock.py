"""A lock on a run's folder: held by the run that writes it, gone with its process."""

from __future__ import annotations

import errno
import os
import weakref
from pathlib import Path

from keras_compat.errors import InputError

try:
    import fcntl
except ImportError:  # Windows: two runs at a time are not noticed there
    fcntl = None  # type: ignore[assignment]

# Some network file systems have no locks; a run there is better than none.
_UNSUPPORTED = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}


class RunLock:
    """Holds a lock file until `release`, or until its process ends, killed or not.

    The kernel holds the lock, not the file's existence: what a dead process left is no obstacle,
    and a process of another container or host with the same number is not taken for it.

    Args:
        path: the file, made if needed; its folder must exist. It stays when the lock is released.

    Raises:
        InputError: if a live run holds it.
        OSError: if the file cannot be written.

    Example:

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "lock"
    >>> RunLock(path).release()
    >>> path.exists()
    True
    """

    def __init__(self, path: Path):
        # What a link points at is another's, and would be written over.
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        handle = os.open(path, flags, 0o666)
        # Closing releases the lock, also when the owner is garbage-collected.
        self.release = weakref.finalize(self, os.close, handle)
        try:
            if fcntl is not None:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                holder = os.pread(handle, 20, 0).decode(errors="replace").strip()
                self.release()
                raise _in_use(path, f"process {holder}" if holder else "another process") from None
        # A run that finished meanwhile has moved this file away: the lock would guard nothing.
        if fcntl is not None and not _is_still_at(handle, path):
            self.release()
            raise _in_use(path, "a run that ended just now")
        os.truncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        if fcntl is None:  # an open file would keep its folder from being renamed there
            self.release()


def _is_still_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False


def _in_use(path: Path, holder: str) -> InputError:
    return InputError(
        f"{str(path.parent)!r} is being written by {holder}; wait for it, or choose another "
        "--output_dir"
    )
