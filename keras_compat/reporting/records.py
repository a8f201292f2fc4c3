"""Records: one figure each, with the keys that say what it measures.

`{"metric": "recombination_accuracy", "extractor": "resnet56", "head": "mobilenet_v2",
"dataset": "cifar10", "stage": "updated", "seed": 0, "value": 0.917}` is a record. Accuracies are
fractions. Tables and plots are made from a flat list of them, whatever app wrote it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_compat.errors import InputError

Record = dict[str, Any]
_LARGEST = sys.float_info.max
# Of what a message tells of a record.
_LONGEST = 300


class Summary(NamedTuple):
    """Mean and standard deviation of one figure over seeds.

    Attributes:
        mean: the mean.
        std: the sample standard deviation; 0 for one seed.
        count: the number of seeds.
    """

    mean: float
    std: float
    count: int


def make_record(metric: str, value: float, **keys: Any) -> Record:
    """Returns one record, checked: flat, and with a finite value.

    Args:
        metric: what was measured, such as `"recombination_accuracy"`.
        value: the figure; an accuracy is a fraction.
        **keys: what it was measured on: `extractor`, `head`, `dataset`, `stage`, `seed`, ... Keys
            that are `None` are left out.

    Returns:
        A dict of plain Python values, the metric first and the value last.

    Raises:
        ValueError: if the value is not finite, or a key holds more than one thing.

    Example:

    >>> make_record("accuracy", 0.5, extractor="resnet8", seed=0, head=None)
    {'metric': 'accuracy', 'extractor': 'resnet8', 'seed': 0, 'value': 0.5}
    """
    record = {"metric": metric, **{k: _plain(v) for k, v in keys.items() if v is not None}}
    record["value"] = _plain(value)
    check_record(record)
    return record


def check_record(record: Mapping[str, Any]) -> None:
    """Raises ValueError if `record` is not flat, names no metric or has no finite value.

    Args:
        record: what should be a record.

    Raises:
        ValueError: with the record in its message.

    Example:

    >>> check_record({"metric": "accuracy", "value": 1})
    """
    if not isinstance(record, Mapping):
        raise ValueError(f"a record is a mapping, not a {type(record).__name__!r} object")
    value, received = record.get("value"), f"Received: {str(record)[:_LONGEST]}"
    if not isinstance(record.get("metric"), str):
        raise ValueError(f"a record needs a metric. {received}")
    # A whole number may be too large for a float.
    finite = isinstance(value, int | float) and -_LARGEST <= value <= _LARGEST
    if isinstance(value, bool) or not finite:
        raise ValueError(f"a record needs a finite number as its value. {received}")
    if not all(isinstance(v, str | int | float | bool) for v in record.values()):
        raise ValueError(f"a record is flat: each key holds one thing. {received}")


def select(
    records: Iterable[Record], defaults: Mapping[str, Any] | None = None, **keys: Any
) -> list[Record]:
    """Returns the records that agree with every key, in their order.

    Args:
        records: where to look.
        defaults: what a record means that lacks a key.
        **keys: what a record must have; `None` stands for any value.

    Returns:
        The list of those that agree.

    Example:

    >>> records = [make_record("accuracy", v, seed=s) for s, v in enumerate([0.5, 0.7])]
    >>> select(records, seed=1)
    [{'metric': 'accuracy', 'seed': 1, 'value': 0.7}]
    >>> len(select(records, defaults={"statistics": "batch"}, statistics="batch"))
    2
    """
    wanted = {k: v for k, v in keys.items() if v is not None}
    defaults = defaults or {}
    return [r for r in records if all(r.get(k, defaults.get(k)) == v for k, v in wanted.items())]


def unique(records: Iterable[Record], key: str) -> tuple[Any, ...]:
    """Returns the values that `key` takes, each once, in order of appearance.

    Args:
        records: where to look; those that lack the key are passed over.
        key: a key of records.

    Returns:
        The values.

    Example:

    >>> unique([make_record("accuracy", 0.5, seed=3), make_record("chance", 0.1)], "seed")
    (3,)
    """
    return tuple(dict.fromkeys(r[key] for r in records if key in r))


def summarise(records: Sequence[Record]) -> Summary | None:
    """Returns mean and standard deviation over seeds of records of one figure.

    Args:
        records: records that differ in nothing but seed and value.

    Returns:
        The summary; `None` if there are no records.

    Raises:
        InputError: if a seed comes twice, as the records then are of several figures.

    Example:

    >>> records = [make_record("accuracy", v, seed=s) for s, v in enumerate([0.5, 0.7])]
    >>> summary = summarise(records)
    >>> f"{summary.mean:.2f} {summary.std:.2f} {summary.count}"
    '0.60 0.14 2'
    """
    if not records:
        return None
    seeds = [r.get("seed") for r in records]
    if len(set(seeds)) < len(seeds):
        raise InputError(
            f"records of one figure differ in their seeds. Received: {records[0]} and "
            f"{len(records) - 1} more with seeds {', '.join(map(str, seeds[:20]))}"
        )
    values = np.array([r["value"] for r in records], "float64")
    std = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return Summary(float(values.mean()), std, len(values))


def mean_by_seed(records: Sequence[Record]) -> list[Record]:
    """Returns one record a seed, the mean over what else the records differ in.

    The spread of its summary is then over seeds alone, not over networks or data sets.

    Args:
        records: records of one metric, such as one a pair of networks and seed.

    Returns:
        Records of `seed` and `value`, in the order in which the seeds appear. A seed that lacks
        some of the records that others have, as in a run that was stopped, is left out: its mean
        would be of something else.

    Example:

    >>> pairs = [{"extractor": e, "seed": 0, "value": v} for e, v in (("a", 0.5), ("b", 0.7))]
    >>> mean_by_seed([*pairs, {"extractor": "a", "seed": 1, "value": 0.4}])
    [{'seed': 0, 'value': 0.6}]
    """
    values: dict[Any, list[float]] = {}
    for record in records:
        values.setdefault(record.get("seed"), []).append(record["value"])
    whole = max(map(len, values.values()), default=0)
    return [
        {"seed": seed, "value": float(np.mean(v))} for seed, v in values.items() if len(v) == whole
    ]


def _plain(value: Any) -> Any:
    """NumPy scalars to Python's; the rest as it is."""
    return value.item() if isinstance(value, np.generic) else value
