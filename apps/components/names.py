"""Commands that list the names that settings and specs can have, with their meanings."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from importlib import import_module
from typing import Any

from apps.components.shared import print_table, start
from keras_compat.errors import InputError
from keras_compat.registry import Lazy

Rows = Iterable[Sequence[str]]


def add(commands: Any) -> None:
    """Adds the commands, one for each kind of name."""
    for kind, rows in _KINDS.items():
        text = f"list the {kind}"
        added = commands.add_parser(kind, help=text, description=text)
        added.set_defaults(run=lambda flags, rows=rows: _list(rows))


def _list(rows: Callable[[], Rows]) -> None:
    start()
    print_table(list(rows()))


def _architectures() -> Rows:
    from keras_compat import networks

    yield "architecture", "arguments", "default split", "split points"
    for name in networks.ARCHITECTURES:
        parameters = inspect.signature(networks.ARCHITECTURES[name]).parameters.values()
        arguments = ",".join(f"{one.name}={one.default}" for one in parameters)
        try:
            yield name, arguments, networks.default_split(name), _short(networks.split_points(name))
        except InputError:  # a family that has no member without arguments
            yield name, arguments, "-", "-"


def _short(points: Sequence[str]) -> str:
    """Returns names with those that differ in their last number alone as one: `block1-4`."""
    parts = [re.fullmatch(r"(.*?)(\d*)", point).groups() for point in points]
    found = []
    for stem, group in itertools.groupby(parts, key=lambda part: part[0]):
        numbers = [number for _, number in group]
        found.append(f"{stem}{numbers[0]}{f'-{numbers[-1]}' if len(numbers) > 1 else ''}")
    return " ".join(found)


def _methods() -> Rows:
    from keras_compat.methods import known_methods

    yield "method", "meaning; those between independent and the bounds are joined by +", "needs"
    for name, method in known_methods().items():
        yield name, method.meaning, ", ".join(method.needs)


def _sources() -> Rows:
    import keras_compat.data.sources  # noqa: F401 - fills the registry

    yield from _of_registry("data", "keras_compat.data.options", "sources")
    yield "NAME[/CONFIG][:VERSION]", "A classification set of TensorFlow Datasets, such as cifar10."


def _of_registry(title: str, module: str, registry: str) -> Rows:
    members = getattr(import_module(module), registry)
    yield title, "meaning"
    for name in members:
        member = members[name]
        meaning = member.meaning if isinstance(member, Lazy) else inspect.getdoc(member) or ""
        yield name, meaning.partition("\n")[0]


_KINDS = {
    "architectures": _architectures,
    "auxiliaries": partial(_of_registry, "auxiliary task", "keras_compat.auxiliary", "AUXILIARIES"),
    "baselines": partial(
        _of_registry, "baseline", "keras_compat.evaluation.baselines", "BASELINES"
    ),
    "methods": _methods,
    "sources": _sources,
    "studies": partial(_of_registry, "study", "keras_compat.studies", "STUDIES"),
}
