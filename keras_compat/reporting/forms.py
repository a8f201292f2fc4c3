"""Checks that what reports read of a `metrics.json` is there, of its type and in its range."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, create_model

from keras_compat.errors import InputError
from keras_compat.reporting.records import check_record

# Data sets, networks, methods and the like: a table or a picture shows no more.
_MOST_NAMES = 100
# Letters of such a name.
_LONGEST = 1000
_DEEPEST = 20
# Smallest fraction above zero: its inverse is a number.
_LEAST = 1e-9


def _text(value: Any) -> str:
    # Pydantic's own refuses bytes that are not UTF-8, which names of folders may have.
    if not isinstance(value, str):
        raise ValueError("expected text")
    return value


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value.isidentifier() or len(value) > 200:
        raise ValueError("expected a name of up to 200 letters, digits and underscores")
    return value


Text = Annotated[Any, AfterValidator(_text)]
Name = Annotated[Any, AfterValidator(_name)]
Whole = Annotated[int, Field(ge=0, le=10**12)]
Real = Annotated[float, Field(ge=-1e30, le=1e30)]
Seconds = Annotated[float, Field(ge=0, le=1e12)]


class _Form(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)


# Keys of records by the form of their values; other keys may hold anything that `check_record`
# lets pass. Runs name networks so that they can name a task in Keras.
_KEYS = {
    "extractor head network source target first": (Name, "_"),
    "study method dataset stage subset variant statistics runtime architecture layers chosen_by "
    "split signal baseline needs normalization features scheme step message": (Text, ""),
    "seed rounds steps channel images common_classes": (Whole, 0),
    "networks": (Annotated[int, Field(ge=1, le=10**6)], 1),
    "batch_size": (Annotated[int, Field(ge=1, le=10**9)], 1),
    "learning_rate": (Real, 0),
    "permuted pretrained control": (bool, False),
}
_Record = create_model(
    "_Record",
    __base__=_Form,
    metric=(Text, ...),
    value=(Real, ...),
    **{name: form for names, form in _KEYS.items() for name in names.split()},
)


class _Images(_Form):
    count: Whole | None = None


class _Data(_Form):
    train: _Images | None = None


class _Training(_Form):
    rounds: Whole = 0
    batch_size: Whole = 0
    learning_rate: Real = 0
    schedule: Text = ""
    drops: list[Whole] = []


class _Config(_Form):
    seed: Whole | list[Whole] = 0
    methods: list[Text] = []
    studies: list[Text] = []
    sources: list[Text] = []
    targets: list[Text] = []
    pretraining_dataset: Text | None = None


class _CompatibilityConfig(_Config):
    architectures: list[Text] = []
    training: _Training = _Training()
    auxiliary_weight: Real | None = None
    rotation_weight: Real | None = None


class _DomainConfig(_Config):
    architecture: Text = ""
    held_out: Annotated[float, Field(ge=0, le=1)] = 0


class _Maker(_Form):
    versions: dict[Any, Any]
    hardware: dict[Any, Any]
    parts: list[Text]


_AnyConfig = TypeVar("_AnyConfig", bound=_Config)


class _Metrics(_Form, Generic[_AnyConfig]):
    config: _AnyConfig
    made_by: list[_Maker]
    data: dict[Any, _Data]
    durations_s: dict[Any, Seconds]
    results: Annotated[list[_Record], Field(max_length=200_000)]


_FORMS = {
    "compatibility_analysis": _Metrics[_CompatibilityConfig],
    "domain_adaptation": _Metrics[_DomainConfig],
}

# Ranges of values that are no fractions.
_COUNTS = ("chosen_rounds", "ranking_images", "fine_tuning_images", "ranking_seconds")
_COUNTS += ("fine_tuning_seconds", "step_time_s", "peak_memory_gib")
_RANGES = {
    "accuracy_difference": (-1, 1),
    "cross_correlation": (-1.01, 1.01),
    "channel_correlation": (-1.01, 1.01),
    "steps_an_epoch": (1, 1e12),
    **dict.fromkeys(_COUNTS, (0, 1e12)),
}
_FRACTIONS = ("accuracy", "upper_bound", "lower_bound", "chance")
_NAMES = ("study", "method", "dataset", "extractor", "head", "network", "source", "target")
_NAMES += ("variant", "layers", "split", "signal", "baseline", "normalization", "features")


def check_form(metrics: Mapping[str, Any], path: str) -> None:
    """Raises `InputError` if a `metrics.json` has something that a report could not be made of.

    Metrics, methods, studies and experiments that are not known here are no fault, nor is a record
    that lacks a key: see `report.ReportWriter`.

    Example:

    >>> sections = {"experiment": "transfer_learning", "config": {}, "versions": {}, "data": {},
    ...             "hardware": {}, "made_by": [], "durations_s": {}}
    >>> records = [{"metric": "chance", "source": "../a", "target": "b", "value": 0.1}]
    >>> check_form({**sections, "results": records}, "metrics.json")
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: metrics.json: results.0.source '../a': expected a name of ...
    """
    try:
        _check_tree(metrics, "metrics")
        for number, record in enumerate(metrics["results"]):
            check_record(record)
            _check_range(record["metric"], record["value"], f"results.{number}")
        _FORMS.get(metrics["experiment"], _Metrics[_Config]).model_validate(metrics)
        _check_names(metrics["results"])
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))
        told = f"{place} {str(first['input'])[:80]!r}: {first['msg'].removeprefix('Value error, ')}"
    except ValueError as error:
        told = str(error)
    else:
        return
    raise InputError(f"{path}: {told}; write the file again with its app")


def _check_tree(value: Any, place: str, depth: int = 0) -> None:
    """Raises an error for values that cannot be written again, or be told in a line."""
    if depth > _DEEPEST:
        raise ValueError(f"{place} is nested too deep")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{place} is {value}; expected a finite number")
    inner = value.items() if isinstance(value, dict) else ()
    inner = enumerate(value) if isinstance(value, list) else inner
    for key, one in inner:
        _check_tree(one, f"{place}.{key}" if depth else str(key), depth + 1)


def _check_range(metric: str, value: float, place: str) -> None:
    if metric in _RANGES:
        low, high = _RANGES[metric]
    elif any(word in metric for word in _FRACTIONS):
        low, high = 0, 1
    else:
        return
    if not low <= value <= high or 0 < value < _LEAST:
        raise ValueError(
            f"{place} of the metric {metric!r} has the value {value}; expected {low} to {high}"
        )


def _check_names(records: list[Mapping[str, Any]]) -> None:
    for key in _NAMES:
        names = {record[key] for record in records if key in record}
        longest = max(names, key=len, default="")
        if len(longest) > _LONGEST:
            raise ValueError(f"{key} {longest[:80]!r}... is longer than {_LONGEST} letters")
        if len(names) > _MOST_NAMES:
            raise ValueError(f"results are of {len(names)} names of {key}; at most {_MOST_NAMES}")
