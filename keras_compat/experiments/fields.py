"""Fields of settings: the values that each takes, and its description in the docstring."""

from __future__ import annotations

import dataclasses
import inspect
import math
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from keras_compat.choices import check_choice
from keras_compat.errors import InputError


@dataclass(frozen=True, kw_only=True)
class About:
    """Facts of a field that its name, type, default and description do not tell.

    Args:
        choices: Names that the value, or each of its values, is one of.
        noun: Word for one of the values in an error message.
        listed: Command of `apps.components` that lists the names that the value can have.
        distinct: Whether the value is a tuple of at least one value, all of them different.
        at_least: Lowest number.
        above: Number below all that are accepted.
        at_most: Highest number.
        below: Number above all that are accepted.
        form: Form of the text that a flag takes, such as `"NAME=CLASS"`.
        separator: Text between several values of a flag; a space stands for any white space.
        read: Function from the text of a flag to the value.
        alias: Second name of the flag.
        flag: Whether there is a flag.
        every_stage: Whether the flag changes all stages of training at once.
    """

    choices: Collection[str] | None = None
    noun: str = ""
    listed: str = ""
    distinct: bool = False
    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None
    form: str = ""
    separator: str = ","
    read: Callable[[str], Any] | None = None
    alias: str = ""
    flag: bool = True
    every_stage: bool = False

    def check(self, name: str, value: Any) -> None:
        """Raises an `InputError` if the value of a field is not accepted; None always is.

        Args:
            name: Name of the field.
            value: Value to check.

        Example:

        >>> About(above=0, at_most=1).check("auxiliary_fraction", 1.5)
        Traceback (most recent call last):
            ...
        keras_compat.errors.InputError: auxiliary_fraction is 1.5; expected above 0, at most 1
        """
        several = isinstance(value, tuple)
        values = value if several else () if value is None else (value,)
        if self.distinct and (not values or len(set(values)) < len(values)):
            raise InputError(f"{name} are {','.join(values)!r}; expected some, each once")
        for one in values:
            if self.choices is not None:
                check_choice(self.noun or f"value of {name}", one, self.choices)
            elif not self._is_in_range(one):
                raise InputError(
                    f"{name} {'have' if several else 'is'} {one}; expected {self._range()}"
                )

    def _bounds(self) -> dict[str, float]:
        bounds = {name: getattr(self, name) for name in ("at_least", "above", "at_most", "below")}
        return {name: bound for name, bound in bounds.items() if bound is not None}

    def _is_in_range(self, value: Any) -> bool:
        if not self._bounds():
            return True
        least = self.at_least is None or value >= self.at_least
        most = self.at_most is None or value <= self.at_most
        above = self.above is None or value > self.above
        below = self.below is None or value < self.below
        return math.isfinite(value) and least and most and above and below

    def _range(self) -> str:
        words = [f"{name.replace('_', ' ')} {bound}" for name, bound in self._bounds().items()]
        return "a finite number above 0" if words == ["above 0"] else ", ".join(words)


_NOTHING = About()


def setting(default: Any = dataclasses.MISSING, **about: Any) -> Any:
    """Returns a dataclass field with the facts of `About`.

    Args:
        default: Default of the field; without one it must be given.
        **about: Arguments of `About`.
    """
    metadata = {"about": About(**about)}
    if isinstance(default, dict):
        return dataclasses.field(default_factory=default.copy, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def about(field: dataclasses.Field[Any]) -> About:
    """Returns the facts that `setting` was given for a field."""
    return field.metadata.get("about", _NOTHING)


def descriptions(kind: type) -> dict[str, str]:
    """Returns what the docstrings of a class and of its bases say of each argument.

    Example:

    >>> descriptions(About)["noun"]
    'Word for one of the values in an error message.'
    """
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        text = inspect.cleandoc(base.__doc__ or "")
        entries = re.findall(r"^    (\w+): (.+(?:\n {8}.+)*)", text, re.MULTILINE)
        found.update((name, " ".join(words.split())) for name, words in entries)
    return found


def names_in(settings: Any, listed: str) -> list[str]:
    """Returns the names of one kind in settings.

    Args:
        settings: Dataclass with fields of `setting`.
        listed: Command of `apps.components` that lists the names of the kind.

    Example:

    >>> from keras_compat.experiments.transfer_learning.presets import PRESETS
    >>> names_in(PRESETS["demo"], "sources")
    ['mnist5k', 'mnist5k', 'digits']
    """
    found: list[str] = []
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if about(field).listed == listed and value is not None:
            value = value.values() if isinstance(value, dict) else value
            found += [value] if isinstance(value, str) else value
    return found


@dataclass(frozen=True, kw_only=True)
class Checked:
    """Settings that refuse values that their fields do not accept.

    Raises:
        InputError: if a value is not accepted.
    """

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            about(field).check(field.name, getattr(self, field.name))
