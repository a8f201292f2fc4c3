"""Flags derived from the fields of settings, and values read from them."""

from __future__ import annotations

import argparse
import functools
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import Field, fields
from typing import Any

from keras_compat.errors import InputError
from keras_compat.experiments.fields import descriptions
from keras_compat.experiments.settings import RunSettings, TrainingSettings, stage_flags

# Forms of the names that a command of `apps.components` lists.
LISTED = {
    "sources": "DATA",
    "architectures": "ARCHITECTURE@SPLIT",
    "auxiliaries": "AUXILIARY",
    "methods": "METHOD",
    "studies": "STUDY",
}
_NUMBERS = {int: "N", float: "X", tuple[int, ...]: "N", tuple[float, ...]: "X"}


def add_settings(
    parser: argparse.ArgumentParser, settings: RunSettings, run: argparse._ActionsContainer
) -> None:
    """Adds a flag for each setting, in groups, and for each field of the stages of training."""
    kind, stages = type(settings), settings.stages()
    # The experiment's own settings come last in a class, and second in the help.
    groups = {"run": run, kind.flag_group: parser.add_argument_group(kind.flag_group)}
    for field in fields(settings):
        if field.name not in stages:
            bases = (b for b in reversed(kind.__mro__) if field.name in _hints(b))
            title = next(bases).flag_group
            if title not in groups:
                groups[title] = parser.add_argument_group(title)
            add_field(groups[title], kind, field, [getattr(settings, field.name)])
    for field in _shorthands(kind):
        add_field(groups[kind.flag_group], kind.shorthands, field, [None])
    texts = descriptions(kind)
    prefixes = {name: stage_flags(name)["rounds"].removesuffix("rounds") for name in stages}
    lines = [f"  --{prefixes[name]:<14}{_plain(texts[name])}" for name in stages]
    title = "stages of training, by the beginning of their flags:"
    add_training(parser.add_argument_group("training", "\n".join([title, *lines])), stages)


def add_training(group: argparse._ActionsContainer, stages: Mapping[str, TrainingSettings]) -> None:
    """Adds the flags of stages of training, with one line of help for each field."""
    for field in fields(TrainingSettings):
        names = dict.fromkeys(stage_flags(stage)[field.name] for stage in stages)
        values = [getattr(stage, field.name) for stage in stages.values()]
        add_field(group, TrainingSettings, field, values, *names)


def add_field(
    group: argparse._ActionsContainer,
    kind: type,
    field: Field[Any],
    values: Sequence[Any],
    *of_stages: str,
) -> None:
    """Adds the flag of a field of settings, if it has one.

    The help shows the values, one for each stage; `of_stages` are the flags of several stages.
    """
    about, (hint, _) = field.metadata, _type(kind, field.name)
    if not about.get("flag", True):
        return
    names = of_stages or tuple(filter(None, (field.name, about.get("alias"))))
    text, separator = _plain(descriptions(kind)[field.name]), about.get("separator", ",")
    if "choices" in about:
        text += f" Choices: {', '.join(about['choices'])}."
    told = [_shown(value, separator) for value in values]
    if any(told):
        text += f" [{told[0] if len(set(told)) == 1 else ' | '.join(told)}]"
    options: dict[str, Any] = {"action": _StoreByFlag if len(of_stages) > 1 else "store"}
    if hint is bool:
        options = {"action": argparse.BooleanOptionalAction}
    else:
        listed = LISTED.get(about.get("listed", ""), "NAME")
        form = about.get("form") or _NUMBERS.get(hint, listed)
        options["metavar"] = form if hint in (int, float, str) else f"{form}{separator}..."
        options["type"] = hint if hint in (int, float) else str
    group.add_argument(
        *(f"--{name}" for name in names),
        dest=names[0],
        default=argparse.SUPPRESS,
        help=text.replace("%", "%%"),
        **options,
    )


def where_names_are_listed(settings: RunSettings) -> str:
    """Returns a table of the commands that list the names that settings can have."""
    names = dict.fromkeys(field.metadata.get("listed") for field in fields(settings))
    rows = [f"  {LISTED[name]:<20}python -m apps.components {name}" for name in names if name]
    return "\n".join(rows)


def given(
    flags: argparse.Namespace, stages: Iterable[str], kind: type[RunSettings] | None = None
) -> dict[str, Any]:
    """Returns the values of the flags of settings that were given, by the names of the flags.

    `kind` is the class of the settings, if the flags are those of `add_settings`.

    Raises:
        InputError: If a text has another form than its flag takes.
    """
    known: dict[str, tuple[type, Field[Any]]] = {}
    if kind is not None:
        known = {field.name: (kind.shorthands, field) for field in _shorthands(kind)}
        known |= {field.name: (kind, field) for field in fields(kind)}
    for stage in stages:
        names = stage_flags(stage)
        known |= {names[f.name]: (TrainingSettings, f) for f in fields(TrainingSettings)}
    return {
        name: _read(*known[name], value)
        for name, value in vars(flags).items()
        if name in known and known[name][1].metadata.get("flag", True)
    }


def words(text: str, separator: str = ",") -> list[str]:
    """Returns the words between separators, without empty ones; a space is any white space."""
    found = text.split(None if separator == " " else separator)
    return [word.strip() for word in found if word.strip()]


def pairs(words: Sequence[str], noun: str, form: str) -> dict[str, str]:
    """Reads words of the form `NAME=VALUE`; `noun` and `form` describe one in an error message.

    Raises:
        InputError: If one has another form, or a name comes twice.

    Example:

    >>> pairs(["kitten=cat"], "alias", "NAME=CLASS")
    {'kitten': 'cat'}
    """
    found: dict[str, str] = {}
    for word in words:
        name, _, value = word.partition("=")
        if not name or not value or name in found:
            raise InputError(f"{noun} {word!r}; expected {form}, each name once")
        found[name] = value
    return found


def _read(kind: type, field: Field[Any], value: Any) -> Any:
    """Returns the value of a field from what its flag was given."""
    about, (hint, may_be_none) = field.metadata, _type(kind, field.name)
    if not isinstance(value, str):
        return value
    if "read" in about:
        return about["read"](value)
    if value == "none" and (may_be_none or "may_be_empty" in about):
        return None if may_be_none else ()
    found = words(value, about.get("separator", ","))
    if typing.get_origin(hint) is dict:
        return pairs(found, about["noun"], about["form"])
    if typing.get_origin(hint) is not tuple:
        return value
    try:
        return tuple(map(typing.get_args(hint)[0], found))
    except ValueError:
        expected = "expected numbers with commas between"
        raise InputError(f"{field.name} is {value!r}; {expected}") from None


class _StoreByFlag(argparse.Action):
    """Stores a value under the name of the flag that was given, one of several."""

    def __call__(self, parser: Any, namespace: Any, values: Any, flag: str | None = None) -> None:
        setattr(namespace, (flag or self.dest).removeprefix("--"), values)


def _shorthands(kind: type[RunSettings]) -> tuple[Field[Any], ...]:
    return fields(kind.shorthands) if kind.shorthands else ()


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _type(kind: type, name: str) -> tuple[Any, bool]:
    """Returns the type of a field without None, and whether None is allowed."""
    hint = _hints(kind)[name]
    optional = isinstance(hint, types.UnionType)
    return (typing.get_args(hint)[0] if optional else hint), optional


def _plain(text: str) -> str:
    return text.replace("`", "")


def _shown(value: Any, separator: str) -> str:
    if isinstance(value, dict):
        value = tuple(f"{name}={one}" for name, one in value.items())
    if isinstance(value, tuple):
        return separator.join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
