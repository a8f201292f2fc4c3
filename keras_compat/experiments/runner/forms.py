"""The form of the files that a run leaves for later: each may be damaged by then."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from keras_compat.errors import InputError
from keras_compat.files import read_json

Seconds = Annotated[float, Field(ge=0)]
Round = Annotated[int, Field(ge=0)]
_FileName = Annotated[str, Field(pattern=r"^[^/\\\x00]+$", max_length=200)]


class Form(BaseModel):
    """What a file must hold; it may hold more."""

    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)


class MadeBy(Form):
    """What made the models of a step."""

    duration_s: Seconds
    settings: dict[str, Any]
    data: dict[str, dict[str, Any]]
    versions: dict[str, Any]
    hardware: dict[str, Any]
    # Of earlier releases nothing tells whether the files are those that were written.
    files: dict[str, str] | None = None


class MadeByCell(MadeBy):
    """What made the networks of a cell."""

    cell: dict[str, Any]
    networks: list[_FileName]
    auxiliary_heads: dict[str, dict[str, _FileName]] = {}


class Failure(Form):
    """Why a step has no result."""

    message: str


class About(Form):
    """What there is to know of a stored network beside its models."""

    class_names: list[str]
    photographs: bool
    auxiliaries: list[_FileName]


class CheckpointState(Form):
    """Where a training was, beside its arrays."""

    made_of: dict[str, Any]
    rounds: Round
    groups: list[list[str]]
    measured: list[Round]
    is_finished: bool
    seconds: Seconds
    gathered: Any = None


def read_form(path: Path, form: type[Form], expected: str) -> dict[str, Any]:
    """Reads a JSON file of a run.

    Args:
        path: Path of the file.
        form: What it must hold.
        expected: Words for what the file should be.

    Returns:
        What the file holds.

    Raises:
        InputError: if it cannot be read, is no JSON, or is of another form.
    """
    return checked(read_json(path, expected), form, str(path), expected)


def checked(value: Any, form: type[Form], what: str, expected: str) -> Any:
    """Returns a value as it is, if it is of a form.

    Args:
        value: What JSON held.
        form: What it must hold.
        what: Name of the value for messages, such as the path of its file.
        expected: Words for what it should be.

    Raises:
        InputError: if it is of another form; it names the first place.

    Example:

    >>> checked({"message": None}, Failure, "failed.json", "why a step failed")
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: failed.json: message: Input should be a valid string; ...
    """
    try:
        form.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))
        told = f"{place}: {first['msg']}" if place else first["msg"]
        raise InputError(f"{what}: {told[:200]}; expected {expected}") from None
    return value
