"""Forms of the files that a run leaves; a damaged file does not match its form."""

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
    """Fields that a file must hold; it may hold more."""

    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)


class MadeBy(Form):
    """Origin of the models of a work item."""

    duration_s: Seconds
    settings: dict[str, Any]
    data: dict[str, dict[str, Any]]
    versions: dict[str, Any]
    hardware: dict[str, Any]
    # Of earlier releases nothing tells whether the files are those that were written.
    files: dict[str, str] | None = None


class MadeByCell(MadeBy):
    """Origin of the networks of a cell."""

    cell: dict[str, Any]
    networks: list[_FileName]
    auxiliary_heads: dict[str, dict[str, _FileName]] = {}


class Failure(Form):
    """Reason why a work item has no result."""

    message: str


class About(Form):
    """Description of a stored network beside its models."""

    class_names: list[str]
    photographs: bool
    auxiliaries: list[_FileName]


class CheckpointState(Form):
    """State of a training beside its arrays."""

    made_of: dict[str, Any]
    rounds: Round
    groups: list[list[str]]
    measured: list[Round]
    is_finished: bool
    seconds: Seconds
    gathered: Any = None


def read_form(path: Path, form: type[Form], expected: str) -> dict[str, Any]:
    """Returns the content of a run's JSON file of a form; `expected` says what it should be.

    Raises:
        InputError: if it cannot be read, is no JSON, or is of another form.
    """
    return checked(read_json(path, expected), form, str(path), expected)


def checked(value: Any, form: type[Form], what: str, expected: str) -> Any:
    """Returns the content of a JSON file unchanged, if it matches a form.

    Raises:
        InputError: if it does not match; the message names the first place.

    Example:

    >>> checked({"message": None}, Failure, "failed.json", "why an item failed")
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
