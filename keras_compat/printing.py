"""Printing of untrusted text: no control character reaches the terminal."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn, TextIO

from keras_compat.escaping import escape


def tell(*lines: object, to: TextIO | None = None) -> None:
    """Prints each argument as one line.

    Args:
        *lines: Untrusted texts; `escape` is applied to each.
        to: Stream; by default standard output.

    Example:

    >>> tell("published \\x1b[31m", "2 files\\n0 faults")
    published \\x1b[31m
    2 files\\n0 faults
    """
    stream = sys.stdout if to is None else to
    encoding = getattr(stream, "encoding", None) or "utf-8"
    for line in lines:
        # A character that the terminal's encoding lacks is shown as its code.
        text = escape(line).encode(encoding, "backslashreplace").decode(encoding)
        print(text, file=stream, flush=True)


class Parser(argparse.ArgumentParser):
    """Flag parser whose error messages, which quote the user's input, are escaped.

    Example:

    >>> Parser(prog="app").parse_args(["--\x1b[31m"])
    Traceback (most recent call last):
        ...
    SystemExit: 2
    """

    def error(self, message: str) -> NoReturn:
        super().error(escape(message))
