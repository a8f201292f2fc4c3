"""Work items of classifier transfer: the trainings of each seed."""

from __future__ import annotations

from dataclasses import dataclass

from keras_compat.experiments.classifier_transfer.settings import Settings
from keras_compat.experiments.runner.work_item import WorkItem

INITIAL, UPDATE, BOUND = "initial", "update", "bound"
_BOUNDS = {"none": (), "original": ("original",), "all": ("original", "changed")}


@dataclass(frozen=True)
class Item(WorkItem):
    """One training, with the evaluation of what it leaves.

    Args:
        kind: `"initial"`, `"update"` or `"bound"`.
        seed: Seed of weights, data order and augmentation.
        which: Part that an update maintains, or architecture of a bound.

    Example:

    >>> Item(UPDATE, 0, "rotation").name, Item(UPDATE, 0, "rotation").starts_from
    ('update_rotation_seed0', ('initial_seed0',))
    """

    kind: str
    seed: int
    which: str = ""

    @property
    def stage(self) -> str:
        """Name of the training, the same for all seeds."""
        return f"{self.kind}_{self.which}" if self.which else self.kind

    @property
    def name(self) -> str:
        """Name of the item's folder, different for different items."""
        return f"{self.stage}_seed{self.seed}"

    @property
    def starts_from(self) -> tuple[str, ...]:
        """Name of the training whose networks an update starts from."""
        return (Item(INITIAL, self.seed).name,) if self.kind == UPDATE else ()


def items_of(config: Settings) -> list[Item]:
    """Returns the items of a run; each comes after the one that it starts from."""
    return [
        item
        for seed in range(config.seed, config.seed + config.seeds)
        for item in (
            Item(INITIAL, seed),
            *(Item(UPDATE, seed, what) for what in config.maintain),
            *(Item(BOUND, seed, what) for what in _BOUNDS[config.upper_bounds]),
        )
    ]
