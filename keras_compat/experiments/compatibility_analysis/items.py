"""Work items of the analysis: each cell once, with everything that is measured on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from keras_compat.experiments.runner.work_item import WorkItem
from keras_compat.methods import PRETRAINING
from keras_compat.studies.cells import Asked, Cell

CELL = "cell"


@dataclass(frozen=True)
class Item(WorkItem):
    """A cell with the measures that all studies ask for.

    Args:
        cell: Training of the item.
        measures: Names of measures; none for a cell that others only start from.

    Example:

    >>> item = Item(Cell("rp", 0, pretrained=True))
    >>> item.name, item.starts_from
    ('rp_pretrained_seed0', ('pretraining_seed0',))
    """

    cell: Cell
    measures: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """`"pretraining"` or `"cell"`."""
        return PRETRAINING if self.cell.method == PRETRAINING else CELL

    @property
    def seed(self) -> int:
        """Seed of the cell."""
        return self.cell.seed

    @property
    def name(self) -> str:
        """Name of the cell's folder."""
        return self.cell.name

    @property
    def starts_from(self) -> tuple[str, ...]:
        """Name of the pre-training that a pre-trained cell starts from."""
        return (pretraining_cell(self.cell).name,) if self.cell.pretrained else ()


def pretraining_cell(cell: Cell) -> Cell:
    """Returns the cell whose networks a pre-trained cell starts from."""
    return Cell(PRETRAINING, cell.seed)


def merge(by_study: Mapping[str, Iterable[Asked]]) -> list[Item]:
    """Returns each cell once, after the cell that it starts from, with all studies' measures."""
    found: dict[Cell, dict[str, None]] = {}
    for asked in (asked for wanted in by_study.values() for asked in wanted):
        if asked.cell.pretrained:
            found.setdefault(pretraining_cell(asked.cell), {})
        found.setdefault(asked.cell, {}).update(dict.fromkeys(asked.measures))
    items = [Item(cell, tuple(measures)) for cell, measures in found.items()]
    return sorted(items, key=lambda item: item.kind != PRETRAINING)
