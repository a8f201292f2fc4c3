"""Work items of transfer learning: networks that are trained once, and pairs made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from keras_compat.experiments.runner.work_item import WorkItem
from keras_compat.experiments.transfer_learning.methods import METHODS, trained_as
from keras_compat.experiments.transfer_learning.settings import Settings

ROTATION, NETWORK, RANKING, TRANSFER = "rotation_head", "network", "ranking", "transfer"


@dataclass(frozen=True)
class Item(WorkItem):
    """One training, or one ranking of a source.

    Args:
        kind: `"rotation_head"`, `"network"`, `"ranking"` or `"transfer"`.
        seed: Seed of weights, data order and augmentation.
        method: Name of a method, see `keras_compat.experiments.transfer_learning.methods.METHODS`.
        source: Name of the source's data, or of a network's own.
        target: Name of the target's data.
        starts_from: Names of the items that must be done before.

    Example:

    >>> Item(TRANSFER, 0, "rp", "mnist5k", "digits").name
    'mnist5k_to_digits_rp_seed0'
    """

    kind: str
    seed: int
    method: str = ""
    source: str = ""
    target: str = ""
    starts_from: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name of the item's folder, different for different items."""
        words = {
            ROTATION: ROTATION,
            NETWORK: f"{self.source}_{self.method}",
            RANKING: f"{self.source}_for_{self.target}_{self.method}",
            TRANSFER: f"{self.source}_to_{self.target}_{self.method}",
        }
        return f"{words[self.kind]}_seed{self.seed}"


def items_of(config: Settings, names: Mapping[str, str]) -> list[Item]:
    """Returns the items of a run by the names of its data, each after those that it starts from."""
    trained = {method: trained_as(method) for method in config.methods}
    trainings = dict.fromkeys(trained.values())
    first: list[Item] = []
    fine_tuned: list[Item] = []
    for seed in range(config.seed, config.seed + config.seeds):
        rotation = Item(ROTATION, seed)
        if any(METHODS[method].needs_rotation_network for method in trainings):
            first.append(rotation)
        networks: dict[tuple[str, str], Item] = {}
        for spec in config.specs():
            for method in trainings:
                before = (rotation.name,) if METHODS[method].needs_rotation_network else ()
                item = Item(NETWORK, seed, method, names[spec], starts_from=before)
                networks[spec, method] = item
        first += networks.values()
        for source, target in config.pairs():
            for method in config.methods:
                before = tuple(networks[spec, trained[method]].name for spec in (source, target))
                pair = (seed, method, names[source], names[target], before)
                if not METHODS[method].new_head:
                    first.append(Item(RANKING, *pair))
                if config.epochs:
                    fine_tuned.append(Item(TRANSFER, *pair))
    # Sources are ranked before any is fine-tuned.
    return first + fine_tuned
