"""The one way in which the apps print, so that no text of a stranger moves a terminal's cursor."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn, TextIO

from keras_compat.escaping import escape


def tell(*lines: object, to: TextIO | None = None) -> None:
    """Prints each argument as one line.

    Args:
        *lines: Texts of any origin; `escape` is applied to each.
        to: Stream to print to; standard output by default.

    Example:

    >>> tell("published \\x1b[31m", "2 files\\n0 faults")
    published \\x1b[31m
    2 files\\n0 faults
    """
    stream = sys.stdout if to is None else to
    encoding = getattr(stream, "encoding", None) or "utf-8"
    for line in lines:
        # A terminal that has no letter for a sign shows its code.
        text = escape(line).encode(encoding, "backslashreplace").decode(encoding)
        print(text, file=stream, flush=True)


class Parser(argparse.ArgumentParser):
    """Parser of flags whose errors, which quote what was given, are safe on a terminal.

    Example:

    >>> Parser(prog="app").parse_args(["--\x1b[31m"])
    Traceback (most recent call last):
        ...
    SystemExit: 2
    """

    def error(self, message: str) -> NoReturn:
        super().error(escape(message))
