"""The one gate between data and what is shown of them: text made safe for its place.

Names come from the file of a stranger, or from data of one's own. Both reach a reader through a
function that carries one of the decorators `for_terminal`, `for_markdown` and `for_pictures`. In
this function every text of its records and settings is safe already.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from keras_compat.escaping import escape, escape_markdown, file_name

Made = TypeVar("Made")


def gate(safe: Callable[[str], str]) -> Callable[[Callable[..., Made]], Callable[..., Made]]:
    """Returns a decorator that lets a function see its records and settings with safe text.

    Args:
        safe: Function that makes a text safe for one place.

    Returns:
        A decorator of functions of records, metrics or settings.

    Example:

    >>> records = [{"dataset": "\\x1b[31m <b> 猫"}]
    >>> for decorator in (for_terminal, for_markdown, for_pictures):
    ...     print(decorator(lambda records: records[0]["dataset"])(records))
    \\x1b[31m <b> 猫
    \\\\x1b\\[31m &lt;b&gt; 猫
    \\x1b[31m <b> \\u732b
    """

    def decorated(make: Callable[..., Made]) -> Callable[..., Made]:
        @functools.wraps(make)
        def made(*arguments: Any, **named: Any) -> Made:
            known: dict[str, str] = {}
            return make(
                *(_mapped(value, safe, known) for value in arguments),
                **{name: _mapped(value, safe, known) for name, value in named.items()},
            )

        return made

    return decorated


def _drawable(text: str) -> str:
    from keras_compat.reporting.figures.style import drawable

    return drawable(text)


for_terminal = gate(escape)
for_markdown = gate(escape_markdown)
for_pictures = gate(_drawable)


def picture_names(names: Sequence[Sequence[str]], between: str = "_to_") -> list[str]:
    """Returns names of files for what has several names, each another and none a path.

    Args:
        names: Names of each picture, such as of its source and its target, as they are or as a
            decorator of this file made them.

    Returns:
        A name for each, without a suffix; the joined names where they are plain.

    Example:

    >>> picture_names([("digits", "mnist5k"), ("a_to_b", "c"), ("a", "b_to_c")])
    ['digits_to_mnist5k', 'a_to_b_to__c-2b76b186', 'a_to__b_to_c-451eff32']
    """
    origins = [[getattr(name, "origin", name) for name in those] for those in names]
    joined = [between.join(those) for those in origins]
    # Some file systems take A for a.
    counts = Counter(map(str.casefold, joined))
    # A line break is in no plain name: where names are apart then counts.
    return [
        file_name(name if counts[name.casefold()] == 1 else f"{between}\n".join(those))
        for name, those in zip(joined, origins, strict=True)
    ]


class _Shown(str):
    """Text as it is shown, which knows what it was: files are named after that."""

    origin: str


def _mapped(value: Any, safe: Callable[[str], str], known: dict[str, str]) -> Any:
    """An argument that holds others, with safe text; paths and the like as they are."""
    if isinstance(value, Mapping):
        return {_inner(k, safe, known): _inner(v, safe, known) for k, v in value.items()}
    return [_inner(v, safe, known) for v in value] if isinstance(value, list | tuple) else value


def _inner(value: Any, safe: Callable[[str], str], known: dict[str, str]) -> Any:
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, Mapping | list | tuple):
        return _mapped(value, safe, known)
    text = str(value)
    if text not in known:
        known[text] = _Shown(safe(text))
        known[text].origin = getattr(value, "origin", text)
    return known[text]
