"""Names of components: `name@version` or `name@alias`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from keras_compat.store.errors import BadNameError

LATEST = "latest"
"""Alias that always points at the highest version."""

# Names that every file system and object store accepts and reads in the same way.
_NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_VERSION = re.compile(r"(?:0|[1-9][0-9]{0,8})(?:\.(?:0|[1-9][0-9]{0,8})){0,2}")
_ALIAS = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_LONGEST_NAME, _LONGEST_ALIAS = 64, 32
# Windows reserves these names for devices, with any suffix.
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?")


@dataclass(frozen=True)
class Reference:
    """A component's name with one of its versions or aliases.

    Args:
        name: Name, such as `"phone-extractor"`.
        tag: Version such as `"2"` or `"1.0.3"`, or alias such as `"production"`.

    Raises:
        BadNameError: If one of them is invalid.

    Example:

    >>> Reference.parse("phone-extractor@1.2")
    Reference(name='phone-extractor', tag='1.2')
    >>> str(Reference.parse("phone-extractor"))
    'phone-extractor@latest'
    >>> Reference.parse("../etc@1")
    Traceback (most recent call last):
        ...
    keras_compat.store.errors.BadNameError: '../etc' is no name of a component; ...
    """

    name: str
    tag: str

    def __post_init__(self) -> None:
        check_name(self.name)
        if not (is_version(self.tag) or is_alias(self.tag)):
            raise BadNameError(
                f"{_shown(self.tag)} is neither a version nor an alias; expected one to three "
                "numbers such as 1 or 2.0.1, or a word such as production"
            )

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Reads `"name@version"`, `"name@alias"`, or `"name"`, which means its latest version."""
        name, at, tag = text.partition("@")
        return cls(name, tag if at else LATEST)

    @property
    def is_version(self) -> bool:
        """Whether the tag is a version, which never changes, and not an alias."""
        return is_version(self.tag)

    def __str__(self) -> str:
        return f"{self.name}@{self.tag}"


def check_name(name: str) -> None:
    """Raises `BadNameError` if a name is not valid for a component.

    Example:

    >>> check_name("phone-extractor.v2")
    """
    if len(name) > _LONGEST_NAME or not _NAME.fullmatch(name) or _DEVICE.fullmatch(name):
        raise BadNameError(
            f"{_shown(name)} is no name of a component; expected up to {_LONGEST_NAME} of a-z and "
            "0-9, with single '.', '_' or '-' between them, and none that Windows reserves"
        )


def is_version(text: str) -> bool:
    """Returns whether a text is a version.

    Example:

    >>> [is_version(text) for text in ("1", "2.0.13", "01", "1.", "latest")]
    [True, True, False, False, False]
    """
    return _VERSION.fullmatch(text) is not None


def is_alias(text: str) -> bool:
    """Returns whether a text is a valid alias.

    Example:

    >>> [is_alias(text) for text in ("production", "1", "Production")]
    [True, False, False]
    """
    return len(text) <= _LONGEST_ALIAS and _ALIAS.fullmatch(text) is not None


def in_order(version: str) -> tuple[int, ...]:
    """Returns the sort key of a version.

    Example:

    >>> sorted(["1.10", "1.9", "2", "1"], key=in_order)
    ['1', '1.9', '1.10', '2']
    """
    return tuple(int(number) for number in version.split("."))


def _shown(text: str) -> str:
    return repr(text if len(text) <= _LONGEST_NAME + 8 else f"{text[:_LONGEST_NAME]}...")
