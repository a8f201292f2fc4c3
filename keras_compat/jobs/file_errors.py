"""What the file system says during a run, in one line: a full disk, data that are gone."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from keras_compat.errors import InputError

KEPT = (
    "what was finished and the last checkpoint are kept, and the same command goes on there once "
    "this is mended"
)


@contextmanager
def file_errors_in_one_line() -> Iterator[None]:
    """Turns an error of the file system into one that the user can mend.

    Raises:
        InputError: for an `OSError`, and for what TensorFlow raises in place of one.

    Example:

    >>> with file_errors_in_one_line():
    ...     raise OSError(28, "No space left on device", "runs/networks.keras")
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: No space left on device: 'runs/networks.keras'; what was ...
    """
    try:
        yield
    except OSError as error:
        named = f": {error.filename!r}" if error.filename else ""
        raise InputError(f"{error.strerror or error}{named}; {KEPT}") from None
    except Exception as error:
        if not isinstance(error, _of_tensorflow()):
            raise
        # TensorFlow names where in a program the file was read, before and after what it says.
        said = re.sub(r"^\{\{.*?\}\} *| *\[Op:.*$", "", error.message.splitlines()[0])
        raise InputError(f"{said}; {KEPT}") from None


def _of_tensorflow() -> tuple[type[Exception], ...]:
    """Returns what TensorFlow raises for files, unless nobody has loaded it."""
    if "tensorflow" not in sys.modules:
        return ()
    errors = sys.modules["tensorflow"].errors
    return errors.NotFoundError, errors.PermissionDeniedError, errors.DataLossError
