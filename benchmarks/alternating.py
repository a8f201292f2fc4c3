"""Timing of several functions in one process, in turn, so that disturbances affect all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Timed(NamedTuple):
    """Times of one function.

    Attributes:
        first: Result of its first call.
        first_s: seconds of the first call, which compiles what it needs.
        median_s: median of the calls that count.
    """

    first: Any
    first_s: float
    median_s: float


def alternate(
    works: Mapping[str, Callable[[], Any]], repeats: int, warm_up: int = 1
) -> dict[str, Timed]:
    """Calls pieces of work in turn, and times them.

    Args:
        works: Functions by name.
        repeats: Calls of each that count.
        warm_up: Calls of each before those.

    Example:

    >>> found = alternate({"one": lambda: 1, "two": lambda: 2}, repeats=3)
    >>> found["two"].first, found["two"].median_s >= 0
    (2, True)
    """
    first: dict[str, Any] = {}
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(warm_up + repeats):
        for name, work in works.items():
            begin = time.perf_counter()
            result = work()
            seconds[name].append(time.perf_counter() - begin)
            first.setdefault(name, result)
    return {
        name: Timed(first[name], taken[0], statistics.median(taken[warm_up:]))
        for name, taken in seconds.items()
    }
