"""Sections of the fine-tuning: accuracy of each pair of source and target (Sec. 5.3, Fig. 5)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from keras_compat.reporting import figures
from keras_compat.reporting.records import (
    Record,
    grouped,
    over_seeds,
    select,
    summarise,
    summarise_by,
    unique,
)
from keras_compat.reporting.section import Picture, Section
from keras_compat.reporting.shown import picture_names
from keras_compat.reporting.table import Table, percent
from keras_compat.reporting.transfer_learning.names import METHODS, constant

_ARROW = "\N{RIGHTWARDS ARROW}"
_X_LABEL = f"steps of fine-tuning (below: accuracy at once {_ARROW} after 1 epoch)"
Pair = tuple[str, str]


def pairs(records: Sequence[Record]) -> tuple[Pair, ...]:
    """Returns the sources and targets that were fine-tuned.

    Example:

    >>> pairs([{"metric": "accuracy", "source": "a", "target": "b", "value": 0.5}])
    (('a', 'b'),)
    """
    return unique(select(records, metric="accuracy"), "source", "target")


def sections(records: Sequence[Record]) -> list[Section]:
    """Returns a section for each pair of source and target.

    Example:

    >>> keys = {"source": "a", "target": "b", "method": "rp", "seed": 0}
    >>> records = [{"metric": "accuracy", **keys, "steps": s, "value": 0.5} for s in (0, 1, 2)]
    >>> records += [{"metric": m, **keys, "value": v}
    ...             for m, v in (("steps_an_epoch", 1), ("chance", 0.1))]
    >>> [picture.name for section in sections(records) for picture in section.pictures]
    ['a_to_b.png']
    """
    found = pairs(records)
    made = []
    for pair, name in zip(found, picture_names(found), strict=True):
        chance = constant(_of(records, pair), "chance")
        made.append(
            Section(
                " to ".join(pair),
                [result_table(records, pair), f"Chance is {100 * chance:.1f} %."],
                pictures=[Picture(f"{name}.png", name, partial(_draw, records, pair))],
            )
        )
    return made


def result_table(records: Sequence[Record], pair: Pair) -> Table:
    """Returns average class accuracy of a recombined network before and after fine-tuning.

    Returns:
        A table in percent, a row a method.

    Example:

    >>> keys = {"source": "a", "target": "b", "method": "rp", "seed": 0}
    >>> records = [{"metric": "accuracy", **keys, "steps": s, "value": v}
    ...            for s, v in ((0, 0.5), (8, 0.7), (40, 0.8))]
    >>> records.append({"metric": "steps_an_epoch", **keys, "value": 8})
    >>> print(result_table(records, ("a", "b")).text(30))
        recombined  1 epoch  5 epochs  own extractor
    --  ----------  -------  --------  -------------
    RP        50.0     70.0      80.0              -
    """
    found = select(_of(records, pair), metric="accuracy")
    epoch = constant(_of(records, pair), "steps_an_epoch")
    last = max(unique(found, "steps"))
    places = {"recombined": 0, "1 epoch": epoch, f"{last / epoch:g} epochs": last}
    rows = []
    for method, of_method in _by_method(found).items():
        cells = [summarise(select(of_method, steps=steps)) for steps in places.values()]
        own = select(records, metric="own_accuracy", network=pair[1], method=method)
        rows.append([METHODS[method], *map(percent, [*cells, summarise(own)])])
    return Table(["", *places, "own extractor"], rows)


def curve(records: Sequence[Record], method: str, epoch: int) -> figures.Series:
    """Returns a curve whose legend tells accuracy at once and after an epoch, as Fig. 5 does.

    Example:

    >>> records = [{"seed": 0, "steps": s, "value": v} for s, v in ((0, 0.5), (8, 0.7))]
    >>> curve(records, "rp", epoch=8).points.keys()
    dict_keys(['0', '1 epoch'])
    """
    found = summarise_by(records, "steps")
    points = {_place(steps, epoch, max(found)): value for steps, value in found.items()}
    label = METHODS[method]
    if "0" in points:
        label += f": {100 * points['0'].mean:.1f}"
    if "1 epoch" in points:
        label += f" {_ARROW} {100 * points['1 epoch'].mean:.1f}"
    return figures.Series(label, points)


def _draw(records: Sequence[Record], pair: Pair, path: Path) -> None:
    of_pair = _of(records, pair)
    found = select(of_pair, metric="accuracy")
    epoch = constant(of_pair, "steps_an_epoch")
    figures.draw_lines(
        path,
        [curve(of_method, method, epoch) for method, of_method in _by_method(found).items()],
        lines=[figures.Line("chance", constant(of_pair, "chance"), ":")],
        title=f"From {pair[0]} to {pair[1]}",
        subtitle=f"Average class accuracy; steps double from mark to mark{over_seeds(records)}",
        x_label=_X_LABEL,
    )


def _place(steps: int, epoch: int, last: int) -> str:
    if steps == epoch:
        return "1 epoch"
    return f"{steps / epoch:g} epochs" if steps == last else f"{steps:,}"


def _by_method(records: Sequence[Record]) -> dict[str, list[Record]]:
    found = grouped(records, "method")
    return {method: found[method] for method in METHODS if method in found}


def _of(records: Sequence[Record], pair: Pair) -> list[Record]:
    return select(records, source=pair[0], target=pair[1])
