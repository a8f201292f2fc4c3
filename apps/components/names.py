"""Commands that list the names that settings and specs can have, with their meanings."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from apps.components.shared import print_table, start

Rows = Iterable[Sequence[str]]


def add(commands: Any) -> None:
    """Adds the commands, one for each kind of name."""
    for kind, rows in _KINDS.items():
        added = commands.add_parser(kind, help=f"list the {kind}", description=rows.__doc__)
        added.set_defaults(run=lambda flags, rows=rows: _list(rows))


def _list(rows: Callable[[], Rows]) -> None:
    start()
    print_table(list(rows()))


def _architectures() -> Rows:
    """Lists architectures with their arguments, split points and default split."""
    from keras_compat import networks
    from keras_compat.errors import InputError

    yield "architecture", "arguments", "default split", "split points"
    for name in networks.architectures():
        parameters = inspect.signature(networks.ARCHITECTURES[name]).parameters.values()
        arguments = ",".join(f"{one.name}={one.default}" for one in parameters)
        try:
            yield name, arguments, networks.default_split(name), _short(networks.split_points(name))
        except InputError:  # a family that has no member without arguments
            yield name, arguments, "-", "-"


def _short(points: Sequence[str]) -> str:
    """Returns names with those that differ in their last number alone as one: `block1-4`.

    Example:

    >>> _short(["stem", "block1", "block2", "block3"])
    'stem block1-3'
    """
    parts = [re.fullmatch(r"(.*?)(\d*)", point).groups() for point in points]
    found = []
    for stem, group in itertools.groupby(parts, key=lambda part: part[0]):
        numbers = [number for _, number in group]
        found.append(f"{stem}{numbers[0]}{f'-{numbers[-1]}' if len(numbers) > 1 else ''}")
    return " ".join(found)


def _auxiliaries() -> Rows:
    """Lists auxiliary tasks."""
    from keras_compat.auxiliary import AUXILIARIES

    yield "auxiliary task", "meaning"
    yield from _with_meaning({name: AUXILIARIES[name] for name in AUXILIARIES})


def _baselines() -> Rows:
    """Lists baselines of recombination, those of the study `baselines`."""
    from keras_compat.evaluation.baselines import BASELINES

    yield "baseline", "meaning"
    yield from _with_meaning({name: type(BASELINES[name]) for name in BASELINES})


def _sources() -> Rows:
    """Lists sources of data."""
    import keras_compat.data.sources  # noqa: F401 - fills the registry
    from keras_compat.data.options import sources

    yield "data", "meaning"
    yield from _with_meaning({name: sources[name] for name in sources})
    yield "NAME[/CONFIG][:VERSION]", "a classification set of TensorFlow Datasets, such as cifar10"


def _studies() -> Rows:
    """Lists studies of the compatibility analysis."""
    from keras_compat.experiments.compatibility_analysis.studies import STUDIES

    yield "study", "meaning"
    yield from _with_meaning({name: STUDIES[name] for name in STUDIES})


def _with_meaning(members: dict[str, Any]) -> Rows:
    for name, member in members.items():
        yield name, (inspect.getdoc(member) or "").partition("\n")[0]


_KINDS = {
    "architectures": _architectures,
    "auxiliaries": _auxiliaries,
    "baselines": _baselines,
    "sources": _sources,
    "studies": _studies,
}
