"""Fields of settings: the values that each takes, and its description in the docstring."""

from __future__ import annotations

import dataclasses
import inspect
import math
import operator
import re
from typing import Any

from keras_compat.choices import check_choice
from keras_compat.errors import InputError

_BOUNDS = {
    "at_least": operator.ge,
    "above": operator.gt,
    "at_most": operator.le,
    "below": operator.lt,
}


def setting(default: Any = dataclasses.MISSING, **about: Any) -> Any:
    """Returns a dataclass field whose metadata say what type and description do not.

    Args:
        default: Default of the field; without one a value must be given.
        **about: `choices`: names that the value, or each of its values, is one of. `noun`: word for
            one of the values in an error message. `listed`: command of `apps.components` that lists
            the names that the value can have. `distinct`: whether there are several values, all
            different; `may_be_empty`: whether there may be none. `at_least`, `above`, `at_most`,
            `below`: bounds of numbers. For the flag: `form` of its text, `separator` of several
            values (a space is any white space), `read` (function from the text to the value),
            `alias` (second name), `flag` (whether there is one), `every_stage` (whether it changes
            all stages of training at once).
    """
    if isinstance(default, dict):
        return dataclasses.field(default_factory=default.copy, metadata=about)
    return dataclasses.field(default=default, metadata=about)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Checked:
    """Settings that refuse values that their fields do not accept.

    Raises:
        InputError: If a value is not accepted.
    """

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            _check(field, getattr(self, field.name))


def _check(field: dataclasses.Field[Any], value: Any) -> None:
    """Raises an `InputError` if a field does not accept a value; each accepts None."""
    name, about = field.name, field.metadata
    several = isinstance(value, tuple)
    values = value if several else () if value is None else (value,)
    enough = values or about.get("may_be_empty")
    if about.get("distinct") and (not enough or len(set(values)) < len(values)):
        raise InputError(f"{name} are {','.join(values)!r}; expected some, each once")
    bounds = {bound: about[bound] for bound in _BOUNDS if bound in about}
    for one in values:
        if "choices" in about:
            check_choice(about.get("noun", f"value of {name}"), one, about["choices"])
        elif bounds and not (
            math.isfinite(one) and all(_BOUNDS[bound](one, bounds[bound]) for bound in bounds)
        ):
            words = [f"{bound.replace('_', ' ')} {number}" for bound, number in bounds.items()]
            expected = "a finite number above 0" if words == ["above 0"] else ", ".join(words)
            raise InputError(f"{name} {'have' if several else 'is'} {one}; expected {expected}")


def descriptions(kind: type) -> dict[str, str]:
    """Returns the descriptions of arguments in the docstrings of a class and its bases.

    Example:

    >>> descriptions(dataclasses.make_dataclass("Empty", []))
    {}
    """
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        text = inspect.cleandoc(base.__doc__ or "")
        entries = re.findall(r"^    (\w+): (.+(?:\n {8}.+)*)", text, re.MULTILINE)
        found.update((name, " ".join(words.split())) for name, words in entries)
    return found


def names_in(settings: Any, listed: str) -> list[str]:
    """Returns the names in settings that one command of `apps.components` lists.

    Example:

    >>> from keras_compat.experiments.transfer_learning.presets import PRESETS
    >>> names_in(PRESETS["demo"], "sources")
    ['mnist5k', 'mnist5k', 'digits']
    """
    found: list[str] = []
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if field.metadata.get("listed") == listed and value is not None:
            value = value.values() if isinstance(value, dict) else value
            found += [value] if isinstance(value, str) else value
    return found
