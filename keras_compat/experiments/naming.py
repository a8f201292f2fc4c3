"""Names for networks after the data that they are for."""

from __future__ import annotations

import hashlib
import string
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count, product

from keras_compat import escaping
from keras_compat.errors import InputError

LONGEST_NAME = 48
"""Number of letters that the name of a network has at most: files and folders bear it."""


# Beside a preset's name, within the 255 bytes that file systems take.
_LONGEST_FILE_NAME = 200


def file_name(*specs: str) -> str:
    """Returns data sets' specs as part of a file name, in which plain ones can be read.

    Example:

    >>> file_name("imagenet_resized/32x32", "npz:data/stl10.npz")
    'imagenet_resized_32x32-npz_data_stl10.npz'
    """
    plain = [escaping.file_name(spec.replace("/", "_").replace(":", "_")) for spec in specs]
    joined = "-".join(plain)
    return joined if len(joined) <= _LONGEST_FILE_NAME else escaping.file_name(joined)


def identifier(name: str) -> str:
    """Returns a name as a Python identifier, which a task's name must be.

    A long name is cut, and ends in letters that tell it apart.

    Example:

    >>> identifier("stl10"), identifier("2 cats"), len(identifier(255 * "x"))
    ('stl10', 'data_2_cats', 48)
    """
    plain = "".join(c if c.isalnum() and c.isascii() else "_" for c in name)
    plain = plain if plain[:1].isalpha() else f"data_{plain}"
    if len(plain) <= LONGEST_NAME:
        return plain
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{plain[: LONGEST_NAME - 9]}_{digest}"


def distinct_names(names: Sequence[str]) -> list[str]:
    """Returns names as identifiers, with a letter where they would not be distinct.

    Raises:
        InputError: If they are not distinct even so.

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
