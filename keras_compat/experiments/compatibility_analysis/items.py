"""The work items of the analysis: each cell once, with all that is to be measured on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from keras_compat.experiments.compatibility_analysis.methods import PRETRAINING
from keras_compat.studies.cells import Asked, Cell


@dataclass(frozen=True)
class Plan:
    """A cell with all that is to be measured on it, whatever studies ask for it.

    Args:
        cell: what to train.
        measures: names of measures, of all studies; none of a cell that others only start from.
    """

    cell: Cell
    measures: tuple[str, ...] = ()


def pretraining_cell(cell: Cell) -> Cell:
    """Returns the cell whose networks a pre-trained cell starts from."""
    return Cell(PRETRAINING, cell.seed)


def merge(by_study: Mapping[str, Iterable[Asked]]) -> list[Plan]:
    """Returns each cell once, after what it starts from, with what all studies measure on it."""
    found: dict[Cell, dict[str, None]] = {}
    for asked in (asked for wanted in by_study.values() for asked in wanted):
        if asked.cell.pretrained:
            found.setdefault(pretraining_cell(asked.cell), {})
        found.setdefault(asked.cell, {}).update(dict.fromkeys(asked.measures))
    plans = [Plan(cell, tuple(measures)) for cell, measures in found.items()]
    return sorted(plans, key=lambda plan: plan.cell.method != PRETRAINING)
