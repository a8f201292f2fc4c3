"""A lock on a run's folder, which the run that writes there holds until its process ends."""

from __future__ import annotations

import errno
import os
import weakref
from contextlib import suppress
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

    The kernel holds the lock, so the file of a dead process is no obstacle. A process of another
    container or host with the same number is not mistaken for it either.

    Args:
        path: Path of the file, which is made if needed; its folder must exist. The file stays
            when the lock is released.

    Raises:
        InputError: if a live run holds it.
        OSError: if the file cannot be made.

    Example:

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "lock"
    >>> RunLock(path).release()
    >>> path.exists()
    True
    """

    def __init__(self, path: Path):
        self._path = path
        # What a link points at is another's, and would be written over.
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        self._handle = os.open(path, flags, 0o666)
        # Closing releases the lock, also when the owner is garbage-collected.
        self.release = weakref.finalize(self, os.close, self._handle)
        try:
            if fcntl is not None:
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                holder = os.pread(self._handle, 20, 0).decode(errors="replace").strip()
                self.release()
                raise _in_use(path, f"process {holder}" if holder else "another process") from None
        if not self.is_in_place():
            self.release()
            raise _in_use(path, "a run that ended just now")
        # The number is for messages alone: a full disk is found out with the first real file.
        with suppress(OSError):
            os.truncate(self._handle, 0)
            os.write(self._handle, str(os.getpid()).encode())
        if fcntl is None:  # an open file would keep its folder from being renamed there
            self.release()

    def is_in_place(self) -> bool:
        """Returns whether the locked file is still at its path, where other runs look for it."""
        if fcntl is None:
            return True
        try:
            return os.path.samestat(os.fstat(self._handle), os.lstat(self._path))
        except FileNotFoundError:
            return False


def _in_use(path: Path, holder: str) -> InputError:
    return InputError(
        f"{str(path.parent)!r} is being written by {holder}; wait for it, or choose another "
        "--output_dir"
    )
