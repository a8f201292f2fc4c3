"""The steps of a run: networks that are trained once, and pairs that are made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from keras_compat.experiments.transfer_learning.methods import METHODS, trained_as
from keras_compat.experiments.transfer_learning.settings import Config

ROTATION, NETWORK, RANKING, TRANSFER = "rotation_head", "network", "ranking", "transfer"


@dataclass(frozen=True)
class Step:
    """One training.

    Args:
        kind: `"rotation_head"`, `"network"`, `"ranking"` or `"transfer"`.
        seed: of weights, orders and augmentation.
        method: see `keras_compat.experiments.transfer_learning.methods.METHODS`.
        source: the name of the source's data; of a network, of its data.
        target: the name of the target's data.
        starts_from: the names of the steps that must be done before.

    Example:

    >>> Step(TRANSFER, 0, "rp", "mnist5k", "digits").name
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
        """A name for its folder, different for different steps."""
        words = {
            ROTATION: ROTATION,
            NETWORK: f"{self.source}_{self.method}",
            RANKING: f"{self.source}_for_{self.target}_{self.method}",
            TRANSFER: f"{self.source}_to_{self.target}_{self.method}",
        }
        return f"{words[self.kind]}_seed{self.seed}"


def steps_of(config: Config, names: Mapping[str, str]) -> list[Step]:
    """Returns the steps of a run in an order in which each finds what it starts from.

    Args:
        config: of the run.
        names: of the data, by their specs.
    """
    trained = {method: trained_as(method) for method in config.methods}
    trainings = dict.fromkeys(trained.values())
    first: list[Step] = []
    fine_tuned: list[Step] = []
    for seed in range(config.seed, config.seed + config.seeds):
        rotation = Step(ROTATION, seed)
        if any(METHODS[method].needs_rotation_network for method in trainings):
            first.append(rotation)
        networks: dict[tuple[str, str], Step] = {}
        for spec in config.specs():
            for method in trainings:
                before = (rotation.name,) if METHODS[method].needs_rotation_network else ()
                step = Step(NETWORK, seed, method, names[spec], starts_from=before)
                networks[spec, method] = step
        first += networks.values()
        for source, target in config.pairs():
            for method in config.methods:
                before = tuple(networks[spec, trained[method]].name for spec in (source, target))
                pair = (seed, method, names[source], names[target], before)
                if not METHODS[method].new_head:
                    first.append(Step(RANKING, *pair))
                if config.epochs:
                    fine_tuned.append(Step(TRANSFER, *pair))
    # Sources are ranked before any is fine-tuned.
    return first + fine_tuned
