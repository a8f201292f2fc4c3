"""Shutdown on a signal: at the end of a round, once its checkpoint is written."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

EXIT_CODE = 143
"""Exit code after SIGTERM: 128 and the signal's number, as shells count."""


class Terminated(KeyboardInterrupt):
    """End of the process by SIGTERM, as when a machine is taken back."""


class _Signals:
    """State of the signals: the first one, and whether the process is within a round."""

    def __init__(self) -> None:
        self.told: type[KeyboardInterrupt] | None = None
        self.in_round = False

    def on_signal(self, number: int, frame: Any) -> None:
        kind = Terminated if number == signal.SIGTERM else KeyboardInterrupt
        first, self.told = self.told is None, self.told or kind
        # Those who end a process may say so to it and to its parent, which says so again.
        if not first and kind is Terminated:
            return
        if first and self.in_round:
            return
        raise kind


_signals = _Signals()


@contextmanager
def ends_on_signals() -> Iterator[None]:
    """Ends the block on SIGTERM and Ctrl-C, a training at the end of its round.

    The signals raise `Terminated` and `KeyboardInterrupt`. A second Ctrl-C raises at once.
    """
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        for number in handlers:
            signal.signal(number, _signals.on_signal)
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        _signals.told = None


def end_quietly_on_signals() -> None:
    """Lets signals end a process of a run at once and without a message."""

    def at_once(number: int, frame: Any) -> None:
        os._exit(EXIT_CODE)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, at_once)


def ending_quietly(work: Callable[[Any], None], item: Any) -> None:
    """Works on an item in a process of a run; a signal ends the process without a message."""

    def on_signal(number: int, frame: Any) -> None:
        # A terminal sends Ctrl-C to all of its processes; the parent ends this one then.
        _signals.on_signal(signal.SIGTERM, frame)

    before = {n: signal.signal(n, on_signal) for n in (signal.SIGTERM, signal.SIGINT)}
    try:
        work(item)
    except Terminated:
        os._exit(EXIT_CODE)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def round_by_round() -> Iterator[None]:
    """Defers shutdown on a signal until the caller polls `told()`, or the block ends."""
    _signals.in_round = True
    try:
        yield
    finally:
        _signals.in_round = False
        if _signals.told is not None:
            raise _signals.told


def told() -> bool:
    """Says whether this process was told to end."""
    return _signals.told is not None


def told_of(interruption: KeyboardInterrupt, done: str) -> KeyboardInterrupt:
    """Returns an interruption whose message says what is kept.

    Example:

    >>> str(told_of(Terminated("a checkpoint is written"), "3 of 5 work items"))
    '3 of 5 work items are finished and kept; a checkpoint is written'
    """
    said = str(interruption) or "the same command goes on with the others"
    return type(interruption)(f"{done} are finished and kept; {said}")
