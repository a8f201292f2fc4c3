"""Registry of objects by name; an unknown name is an error that suggests the nearest ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Generic, TypeVar

from keras_compat.errors import unknown_name

T = TypeVar("T")


class Registry(Generic[T]):
    """Members of one extensible kind, such as architectures, auxiliary tasks or data sources.

    Args:
        kind: Word for a member in error messages.

    Raises:
        InputError: On look-up of an unknown name.
        ValueError: If a name is registered twice.

    Example:

    >>> colours = Registry("colour")
    >>> @colours.register("red")
    ... def red():
    ...     return "#f00"
    >>> colours["red"]()
    '#f00'
    >>> list(colours)
    ['red']
    """

    def __init__(self, kind: str):
        self.kind = kind
        self._members: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Returns a decorator that registers its argument as `name` and returns it unchanged."""

        def add(member: T) -> T:
            if name in self._members:
                raise ValueError(f"{self.kind} {name!r} is registered already")
            self._members[name] = member
            return member

        return add

    def __getitem__(self, name: str) -> T:
        if name not in self._members:
            raise unknown_name(self.kind, name, self._members)
        return self._members[name]

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)


class Selection(Generic[T]):
    """Names of the members that fulfil a condition, also of those registered later.

    Args:
        registry: Registry with the members.
        holds: Function from a member to whether its name belongs to the selection.

    Example:

    >>> numbers = Registry("number")
    >>> even = Selection(numbers, lambda number: number % 2 == 0)
    >>> _ = numbers.register("two")(2), numbers.register("three")(3)
    >>> list(even), "three" in even
    (['two'], False)
    """

    def __init__(self, registry: Registry[T], holds: Callable[[T], object]):
        self._registry = registry
        self._holds = holds

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._registry if self._holds(self._registry[name]))


@dataclass(frozen=True)
class Lazy:
    """A member of a registry whose module is imported when the member is first used.

    Names and meanings are then known in an instant, without Keras or Matplotlib.

    Args:
        place: Module, or module and name: `"package.module:name"`.
        meaning: One line for help and reports.

    Example:

    >>> Lazy("fractions:Fraction", "a ratio of whole numbers")(1, 2)
    Fraction(1, 2)
    """

    place: str
    meaning: str

    def load(self) -> Any:
        """Returns the member itself."""
        module, _, name = self.place.partition(":")
        found = import_module(module)
        return getattr(found, name) if name else found

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Calls the member: makes an object of a class, or runs a function."""
        return self.load()(*arguments, **keywords)
