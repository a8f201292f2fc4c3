"""Section of the accuracies on the target (Sec. 5.1, Table 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from keras_compat.reporting import paper
from keras_compat.reporting.records import Record, grouped, mean_by_seed, select, summarise, unique
from keras_compat.reporting.section import Section
from keras_compat.reporting.table import Table, percent

ROWS = {
    "source network as it is": {"network": "as_it_is"},
    "with statistics of target images": {"network": "target_statistics"},
    "with test batch statistics": {"network": "test_statistics"},
    "adapted, as published": {"network": "adapted", "chosen_by": "published"},
    "adapted, chosen by mutual information": {
        "network": "adapted",
        "chosen_by": "mutual_information",
    },
    "adapted, chosen by held-out loss": {"network": "adapted", "chosen_by": "loss"},
    "the stored one, with statistics of target images": {"network": "adapted_target_statistics"},
    "adapted, best with labels": {"network": "adapted", "chosen_by": "labels"},
}
"""Rows of Table 2, with the keys of the records of each."""
_PUBLISHED = {**paper.DOMAIN_ADAPTATION, **paper.DOMAIN_ADAPTATION_LATER}
Direction = tuple[str, str]


def section(records: Sequence[Record], config: Mapping[str, Any]) -> Section | None:
    """Returns the section of the accuracies, or `None` if the target has no labels.

    Example:

    >>> section([], {}) is None
    True
    """
    results = result_table(records)
    if results is None:
        return None
    published = "What was published is of a WRN-28 of width 16 or of networks like it"
    ours = config.get("architecture", "another network")
    if all(map(_on_papers_data, unique(records, "source", "target"))):
        beside = [f"{published}; here it is {ours}, and its own count of rounds."]
    else:
        beside = [f"{published}, on other data; here it is {ours}:", published_table()]
    return Section(
        "Accuracy (Table 2)",
        [
            results,
            *beside,
            "`as it is`: normalization with the moving statistics of training. `statistics of "
            "target images`: moving statistics taken again over unlabelled training images of the "
            "target, with which images can be classified one by one. All others use the statistics "
            "of the test batch.",
        ],
    )


def result_table(records: Sequence[Record]) -> Table | None:
    """Returns average class accuracy on the target, as Table 2 has it.

    Returns:
        A table in percent, a row a network, a column a direction, and their average; `None` if the
        target has no labels. On CIFAR-10 and STL-10 the published figures are beside ours.

    Example:

    >>> keys = {"metric": "accuracy", "source": "a", "target": "b", "seed": 0}
    >>> table = result_table([{**keys, "network": "as_it_is", "value": 0.5}])
    >>> print(table.text(30))
                             a to b
    -----------------------  ------
    source network as it is    50.0
    """
    found = select(records, metric="accuracy")
    if not found:
        return None
    directions = unique(found, "source", "target")
    average = ["average"] * (len(directions) > 1)
    rows = []
    for name, keys in ROWS.items():
        of_row = select(found, **keys)
        if of_row:
            by_direction = grouped(of_row, "source", "target")
            cells = [summarise(by_direction.get(direction, [])) for direction in directions]
            cells += [summarise(mean_by_seed(of_row)) for _ in average]
            rows.append([name, *map(percent, cells)])
    if all(map(_on_papers_data, directions)):
        columns = [0 if paper.is_cifar10(source) else 1 for source, _ in directions]
        rows += _published_rows([*columns, *(2 for _ in average)])
    return Table(["", *(" to ".join(direction) for direction in directions), *average], rows)


def published_table() -> Table:
    """Returns the paper's Table 2 and a later result.

    Returns:
        A table in percent.

    Example:

    >>> published_table().rows[-1][1:]
    ['81.7', '77.8', '79.7']
    """
    header = ["published", "CIFAR-10 to STL-10", "STL-10 to CIFAR-10", "average"]
    return Table(header, _published_rows(range(3)))


def _published_rows(columns: Sequence[int]) -> list[list[str]]:
    return [
        [name, *(f"{100 * values[column]:.1f}" for column in columns)]
        for name, values in _PUBLISHED.items()
    ]


def _on_papers_data(direction: Direction) -> bool:
    """Whether source and target are CIFAR-10 and STL-10, in either order."""
    one, other = direction
    there = paper.is_cifar10(one) and paper.is_stl10(other)
    return there or (paper.is_stl10(one) and paper.is_cifar10(other))
