"""Names for networks after the data that they are for."""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count, product

from keras_compat.errors import InputError


def identifier(name: str) -> str:
    """Returns a name as a Python identifier, which a task's name must be.

    Example:

    >>> identifier("stl10"), identifier("2 cats")
    ('stl10', 'data_2_cats')
    """
    name = "".join(c if c.isalnum() and c.isascii() else "_" for c in name)
    return name if name[:1].isalpha() else f"data_{name}"


def distinct_names(names: Sequence[str]) -> list[str]:
    """Returns names as identifiers, with a letter where they would not be distinct.

    Raises:
        InputError: if they are not distinct even so.

    Example:

    >>> distinct_names(["digits", "mnist5k"]), distinct_names(["digits", "digits"])
    (['digits', 'mnist5k'], ['digits_a', 'digits_b'])
    """
    names = [identifier(name) for name in names]
    counts = Counter(names)
    letters = {name: _letters() for name in counts}
    names = [f"{name}_{next(letters[name])}" if counts[name] > 1 else name for name in names]
    if len(set(names)) < len(names):
        raise InputError(
            f"networks would be named {', '.join(names)}, after their data; rename a data file"
        )
    return names


def _letters() -> Iterator[str]:
    """Yields a, b, ... z, aa, ab, ..."""
    for length in count(1):
        yield from map("".join, product(string.ascii_lowercase, repeat=length))
