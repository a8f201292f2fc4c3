"""Records of single figures, with the keys that say what each measures.

`{"metric": "recombination_accuracy", "extractor": "resnet56", "head": "mobilenet_v2",
"dataset": "cifar10", "stage": "updated", "seed": 0, "value": 0.917}` is a record. Accuracies are
fractions. Tables and figures are made from a flat list of records, whatever app wrote it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from keras_compat.errors import InputError

Record = dict[str, Any]
_LARGEST = sys.float_info.max
# Characters of a record that a message quotes.
_LONGEST = 300


class Summary(NamedTuple):
    """Mean and standard deviation of one figure over seeds.

    Attributes:
        std: Sample standard deviation; 0 for one seed.
        count: Number of seeds.
    """

    mean: float
    std: float = 0.0
    count: int = 1


def make_record(metric: str, value: float, **keys: Any) -> Record:
    """Returns one record, checked: flat, and with a finite value.

    Args:
        metric: Name of the measure, such as `"recombination_accuracy"`.
        value: Measured figure; an accuracy is a fraction.
        **keys: Description of the measured thing: `extractor`, `head`, `dataset`, `stage`, `seed`,
            ... Keys that are `None` are left out.

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
        defaults: Values of keys that a record lacks.
        **keys: Values that a record must have; `None` stands for any value.

    Example:

    >>> records = [make_record("accuracy", v, seed=s) for s, v in enumerate([0.5, 0.7])]
    >>> select(records, seed=1)
    [{'metric': 'accuracy', 'seed': 1, 'value': 0.7}]
    >>> len(select(records, defaults={"statistics": "batch"}, statistics="batch"))
    2
    """
    defaults = defaults or {}
    found = list(records)
    for key, value in keys.items():
        if value is not None:
            default = defaults.get(key)
            found = [record for record in found if record.get(key, default) == value]
    return found


def grouped(records: Iterable[Record], *keys: str) -> dict[Any, list[Record]]:
    """Returns the records by what they have for one key or several, in order of appearance.

    Args:
        records: Records to group; a record that lacks one of the keys is left out.

    Returns:
        Lists of records by the value of the key, or by a tuple of values for several keys.

    Example:

    >>> records = [{"source": "a", "target": target, "value": 0.5} for target in "bc"]
    >>> list(grouped(records, "source")), list(grouped(records, "source", "target"))
    (['a'], [('a', 'b'), ('a', 'c')])
    """
    found: dict[Any, list[Record]] = {}
    wanted, value_of = set(keys), itemgetter(*keys)
    for record in records:
        if wanted <= record.keys():
            found.setdefault(value_of(record), []).append(record)
    return found


def unique(records: Iterable[Record], *keys: str) -> tuple[Any, ...]:
    """Returns the values of a key, or the tuples of values of several keys, each once.

    Args:
        records: Records to search; a record that lacks one of the keys is left out.

    Returns:
        The values in order of appearance.

    Example:

    >>> unique([make_record("accuracy", 0.5, seed=3), make_record("chance", 0.1)], "seed")
    (3,)
    """
    return tuple(grouped(records, *keys))


def summarise(records: Sequence[Record]) -> Summary | None:
    """Returns mean and standard deviation over seeds of records of one figure.

    Args:
        records: Records that differ in nothing but seed and value.

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


def summarise_by(records: Iterable[Record], key: str) -> dict[Any, Summary]:
    """Returns the summary of each group of records, the groups sorted.

    Args:
        records: Records that differ in nothing but the key, seed and value.

    Example:

    >>> summarise_by([{"steps": s, "value": v} for s, v in ((8, 0.7), (0, 0.5))], "steps")
    {0: Summary(mean=0.5, std=0.0, count=1), 8: Summary(mean=0.7, std=0.0, count=1)}
    """
    groups = grouped(records, key)
    return {value: summarise(groups[value]) for value in sorted(groups)}


def mean_by_seed(records: Sequence[Record]) -> list[Record]:
    """Returns one record a seed, the mean over what else the records differ in.

    The spread of its summary is then over seeds alone, not over networks or data sets.

    Args:
        records: Records of one metric, such as one a pair of networks and seed.

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


def within_seeds(
    combine: Callable[[float, float], float], records: Iterable[Record], others: Iterable[Record]
) -> Summary | None:
    """Returns the summary of two figures combined within each seed that has both.

    Args:
        combine: Function of both values, such as `operator.sub`.
        records: Records of the first figure, one a seed.
        others: Records of the second figure, one a seed.

    Returns:
        The summary over seeds; `None` if no seed has both figures.

    Example:

    >>> import operator
    >>> within_seeds(operator.sub, [{"seed": 0, "value": 3}], [{"seed": 0, "value": 1}])
    Summary(mean=2.0, std=0.0, count=1)
    """
    by_seed = {record["seed"]: record["value"] for record in others}
    return summarise(
        [
            {"seed": record["seed"], "value": combine(record["value"], by_seed[record["seed"]])}
            for record in records
            if record["seed"] in by_seed
        ]
    )


def over_seeds(
    records: Iterable[Record], text: str = ", mean ± standard deviation, {} seeds"
) -> str:
    """Returns a text that says how many seeds spreads are over; empty for one seed.

    Args:
        text: Text with a place for the number of seeds.

    Example:

    >>> over_seeds([{"seed": 0}]), over_seeds([{"seed": 0}, {"seed": 1}], "{} seeds")
    ('', '2 seeds')
    """
    seeds = len(unique(records, "seed"))
    return text.format(seeds) if seeds > 1 else ""


def _plain(value: Any) -> Any:
    """Returns Python's own value for a NumPy scalar; other values as they are."""
    return value.item() if isinstance(value, np.generic) else value
