"""How a run ends when it is told to: at the end of a round, once its checkpoint is written."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

EXIT_CODE = 143
"""Of a process that ended because of SIGTERM: 128 and the signal's number, as shells have it."""


class Terminated(KeyboardInterrupt):
    """The process was told to end by SIGTERM, as when a machine is taken back."""


class _Signals:
    """What this process was told, and whether it may end at once."""

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
    """Lets SIGTERM and Ctrl-C end what runs inside it, a training at the end of its round.

    They raise `Terminated` and `KeyboardInterrupt`. A second Ctrl-C does so at once.
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
    """Makes a process that works for another end without a word, see `ending_quietly`."""

    def at_once(number: int, frame: Any) -> None:
        os._exit(EXIT_CODE)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, at_once)


def ending_quietly(work: Callable[[Any], None], step: Any) -> None:
    """Works on a step in a process that works for another, which is told nothing of signals.

    Args:
        work: takes the step.
        step: to work on.
    """

    def on_signal(number: int, frame: Any) -> None:
        # A terminal sends Ctrl-C to all of its processes; this one's parent ends it then.
        _signals.on_signal(signal.SIGTERM, frame)

    before = {n: signal.signal(n, on_signal) for n in (signal.SIGTERM, signal.SIGINT)}
    try:
        work(step)
    except Terminated:
        os._exit(EXIT_CODE)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def round_by_round() -> Iterator[None]:
    """Puts off the end that a signal asks for until `told` was asked, or to its own end."""
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
    """Returns an interruption that says what is kept.

    Args:
        interruption: what it says itself comes last.
        done: what is finished, in words.

    Example:

    >>> str(told_of(Terminated("a checkpoint is written"), "3 of 5 steps"))
    '3 of 5 steps are finished and kept; a checkpoint is written'
    """
    said = str(interruption) or "the same command goes on with the others"
    return type(interruption)(f"{done} are finished and kept; {said}")
