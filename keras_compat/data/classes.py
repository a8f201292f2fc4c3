"""Class names: checks, selection by a flag, and matching between two data sets."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence

from keras_compat.errors import InputError, unknown_name

# No control characters, line breaks, or characters that change the direction of writing.
ONE_LINE = r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]+$"
LONGEST_NAME = 200
MOST_CLASSES = 100_000
# A manifest has at most a megabyte, and holds more than names.
_MOST_BYTES = 900_000

# Each line: names of one class in the data sets used here; the first is the common name.
_SAME = (
    ("automobile", "car", "passenger car"),
    ("airplane", "aeroplane", "plane", "aircraft"),
    ("truck", "lorry", "pickup truck"),
    ("ship", "boat"),
    ("motorcycle", "motorbike"),
    ("bicycle", "bike"),
    ("couch", "sofa"),
    ("television", "tv", "tv monitor", "tvmonitor"),
    ("potted plant", "pottedplant"),
    ("dining table", "diningtable"),
    ("mobile phone", "cell phone", "cellphone"),
    ("person", "people", "pedestrian"),
)
ALIASES: dict[str, str] = {name: line[0] for line in _SAME for name in line[1:]}


def check_class_names(names: Sequence[str], where: str) -> None:
    r"""Raises `InputError` if a component cannot be saved with these class names.

    Args:
        names: Untrusted class names.
        where: Words for their source, for the error message.

    Raises:
        InputError: If there are more than 100,000 names; if a name is blank, has more than 200
            characters, control characters or bytes that are not UTF-8; if two names look the same;
            or if all names together are too long.

    Example:

    >>> check_class_names(["cat", "two\nlines"], "pets.npz")
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: pets.npz has the class name 'two\nlines'; expected 1 to 200
    characters of valid Unicode without control characters: rename the class
    """
    check_class_count(len(names), where)
    for name in names:
        if not is_class_name(name):
            shown = name if len(name) <= LONGEST_NAME else name[:40] + "..."
            raise InputError(
                f"{where} has the class name {shown!r}; expected 1 to {LONGEST_NAME} characters "
                "of valid Unicode without control characters: rename the class"
            )
    seen: set[str] = set()
    for name in names:
        if (same := unicodedata.normalize("NFC", name)) in seen:
            raise InputError(
                f"{where} has class names that occur twice, such as {name!r}; expected each once"
            )
        seen.add(same)
    size = sum(len(json.dumps(name, ensure_ascii=False).encode()) + 6 for name in names)
    if size > _MOST_BYTES:
        raise InputError(
            f"{where} has class names of {size} bytes in all; expected {_MOST_BYTES} at most: "
            "give shorter names"
        )


def is_class_name(name: object) -> bool:
    r"""Returns True if a component and every file exported from it can hold a class name.

    Such a name is a string of 1 to 200 characters of valid Unicode. It is not blank, and has no
    control characters, line breaks or characters that change the direction of writing.

    Example:

    >>> is_class_name("cat"), is_class_name("cat\ndog"), is_class_name(""), is_class_name(3)
    (True, False, False, False)
    """
    # Bytes that are not UTF-8 are surrogates, which no file can hold.
    return (
        isinstance(name, str)
        and 0 < len(name.strip()) <= len(name) <= LONGEST_NAME
        and re.fullmatch(ONE_LINE, name) is not None
        and not any("\ud800" <= character <= "\udfff" for character in name)
    )


def check_class_count(count: int, where: str) -> None:
    """Raises `InputError` if there are more classes than a component can hold.

    Example:

    >>> check_class_count(10, "pets.npz")
    """
    if count > MOST_CLASSES:
        raise InputError(f"{where} has {count} classes; expected {MOST_CLASSES} at most")


def match_classes(
    names_a: Sequence[str], names_b: Sequence[str], aliases: Mapping[str, str] | None = None
) -> list[tuple[int, int]]:
    """Finds the classes that two data sets have in common.

    Names match if they are equal up to case, `_`, `-` and the table of aliases (`automobile` and
    `car`, `airplane` and `plane`, ...). Equal names precede aliases.

    Args:
        aliases: More aliases, from a name to its meaning; they precede the table's.

    Returns:
        Pairs (index in `names_a`, index in `names_b`) in the order of `names_a`, each index once.

    Example:

    >>> match_classes(["cat", "automobile"], ["Car", "monkey", "cat"])
    [(0, 2), (1, 0)]
    >>> match_classes(["cat"], ["kitten"], aliases={"kitten": "cat"})
    [(0, 0)]
    """
    more = {_normal(name): _normal(other) for name, other in (aliases or {}).items()}
    pairs: dict[int, int] = {}
    for key in (_normal, lambda name: _canonical(name, more)):
        free = {
            key(name): j
            for j, name in reversed(list(enumerate(names_b)))
            if j not in pairs.values()
        }
        for i, name in enumerate(names_a):
            if i not in pairs and key(name) in free:
                pairs[i] = free.pop(key(name))
    return sorted(pairs.items())


def parse_classes(
    text: str, class_names: Sequence[str], aliases: Mapping[str, str] | None = None
) -> tuple[int, ...]:
    """Returns the indices of the classes that a flag selects, in the order given.

    Args:
        text: A count (`"5"`: the first five classes), or names or indices separated by commas
            (`"cat,dog"`, `"3,5"`). A word that is a name is never read as an index.
        aliases: More aliases, see `match_classes`.

    Raises:
        InputError: If a class is unknown or named twice, if fewer than two classes are selected,
            or more than there are.

    Example:

    >>> names = ["cat", "dog", "frog"]
    >>> parse_classes("2", names), parse_classes("frog,cat", names)
    ((0, 1), (2, 0))
    >>> parse_classes("kitten,dog", names, aliases={"kitten": "cat"})
    (0, 1)
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    if len(words) == 1 and words[0].lstrip("+-").isdecimal():
        count = int(words[0])
        if not 2 <= count <= len(class_names):
            raise InputError(
                f"{count} classes were asked for; expected 2 to {len(class_names)}, "
                "as many as the data set has"
            )
        return tuple(range(count))
    classes = tuple(_class_index(word, class_names, aliases) for word in words)
    twice = [word for word, c in zip(words, classes, strict=True) if classes.count(c) > 1]
    if twice:
        raise InputError(f"classes {text!r} name {twice[0]!r} twice; expected each once")
    if len(classes) < 2:
        raise InputError(f"classes {text!r} are fewer than two; expected a count or names: cat,dog")
    return classes


def look_flippable(class_names: Sequence[str], colour: bool) -> bool:
    """Guesses whether images may be mirrored: images in colour, not of single characters.

    Example:

    >>> look_flippable(["cat", "dog"], True), look_flippable(["0", "1"], True)
    (True, False)
    """
    return colour and not all(len(name) <= 1 or name.isdecimal() for name in class_names)


def _class_index(word: str, class_names: Sequence[str], aliases: Mapping[str, str] | None) -> int:
    if word in class_names:
        return list(class_names).index(word)
    matched = match_classes([word], class_names, aliases)
    if matched:
        return matched[0][1]
    if word.isdecimal() and int(word) < len(class_names):
        return int(word)
    raise unknown_name("class", word, class_names)


def _normal(name: str) -> str:
    name = unicodedata.normalize("NFC", name)
    return " ".join(name.casefold().replace("_", " ").replace("-", " ").split())


def _canonical(name: str, more: Mapping[str, str]) -> str:
    name = _normal(name)
    name = more.get(name, name)
    return ALIASES.get(name, name)
