"""File system errors, such as a full disk, as messages of one line."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from keras_compat.errors import InputError

KEPT = (
    "what was finished and the last checkpoint are kept: correct the cause and give the same "
    "command again to continue"
)
WHOLE = "no file is incomplete: correct the cause and give the same command again"


@contextmanager
def file_errors_in_one_line(advice: str = KEPT) -> Iterator[None]:
    """Replaces a file system error in the block by an `InputError`.

    Args:
        advice: End of the message: the state of the files and the remedy.

    Raises:
        InputError: In place of an `OSError`, and of the errors that TensorFlow raises for files.

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
        raise InputError(f"{error.strerror or error}{named}; {advice}") from None
    except Exception as error:
        said = _said_by_tensorflow(error)
        if said is None:
            raise
        raise InputError(f"{said}; {advice}") from None


def _said_by_tensorflow(error: Exception) -> str | None:
    """Returns TensorFlow's message about a file; `None` for any other error."""
    if "tensorflow" not in sys.modules:
        return None
    errors = sys.modules["tensorflow"].errors
    of_files = (errors.NotFoundError, errors.PermissionDeniedError, errors.DataLossError)
    full = isinstance(error, errors.ResourceExhaustedError) and re.search(
        "No space left|quota exceeded", error.message
    )
    if not full and not isinstance(error, of_files):
        return None
    # TensorFlow's message begins and ends with the name of the operation.
    return re.sub(r"^\{\{.*?\}\} *| *\[Op:.*$", "", error.message.splitlines()[0])
