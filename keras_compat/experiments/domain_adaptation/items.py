"""Work items of domain adaptation: networks that are trained once, and their adaptations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keras_compat.experiments.domain_adaptation.settings import Settings
from keras_compat.experiments.runner.work_item import WorkItem

ROTATION, SOURCE, ADAPTATION = "rotation_init", "source", "adaptation"


@dataclass(frozen=True)
class Item(WorkItem):
    """One training.

    Args:
        kind: `"rotation_init"`, `"source"` or `"adaptation"`.
        seed: Seed of weights, data order and augmentation.
        source: Name of the source's data; empty for an item of all sources.
        target: Name of the target's data, for an adaptation.
        starts_from: Name of the item whose networks this one starts from, if any.

    Example:

    >>> Item(ADAPTATION, 0, "mnist5k", "digits").name
    'mnist5k_to_digits_seed0'
    """

    kind: str
    seed: int
    source: str = ""
    target: str = ""
    starts_from: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name of the item's folder, different for different items."""
        words = {
            ROTATION: ROTATION,
            SOURCE: self.source,
            ADAPTATION: f"{self.source}_to_{self.target}",
        }
        return f"{words[self.kind]}_seed{self.seed}"


def items_of(config: Settings, directions: Sequence[tuple[str, str]]) -> list[Item]:
    """Returns the items of a run by names of source and target, each after what it starts from."""
    found = []
    for seed in range(config.seed, config.seed + config.seeds):
        head: tuple[str, ...] = ()
        if config.rotation_init is not None:
            found.append(Item(ROTATION, seed))
            head = (found[-1].name,)
        trained: dict[str, tuple[str, ...]] = {}
        if config.network is None:
            sources = [Item(SOURCE, seed, source, starts_from=head) for source, _ in directions]
            trained = {item.source: (item.name,) for item in sources}
            found += sources
        found += [
            Item(ADAPTATION, seed, source, target, starts_from=trained.get(source, ()))
            for source, target in directions
        ]
    return found
