"""What a run of transfer learning is told (Sec. 5.3, Appendix C)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from keras_compat.choices import ROTATION_ASSIGNMENTS, check_choice
from keras_compat.errors import InputError, unknown_name
from keras_compat.experiments.settings import (
    check_at_least,
    check_auxiliary_cost,
    check_seeds,
    settings_without,
)
from keras_compat.experiments.training import Training
from keras_compat.experiments.transfer_learning.methods import METHODS

# What says which networks there are; a network does not depend on the others.
_PAIRS = ("sources", "targets", "methods")


@dataclass(frozen=True)
class Config:
    """Every setting of a run; the presets are instances.

    Args:
        preset: the name that the settings go by.
        rotation_data: the spec of the images that the rotation head is trained on, see
            `keras_compat.data.load`.
        sources: the specs of the images whose extractors are transferred.
        targets: the specs of the images that they are transferred to.
        image_size: of the images that the networks see; `None` keeps the data sets'.
        architecture: with its split point.
        training: of each network before it is transferred.
        fine_tuning_learning_rate: of the recombined network, constant; by Adam without weight
            decay.
        methods: of `keras_compat.experiments.transfer_learning.methods.METHODS`, those to compare.
        epochs: of fine-tuning on the target; 0 only ranks the sources.
        ranking_images: of the target's training images, by which sources are ranked before any
            fine-tuning.
        auxiliary_weight: of rotation's loss.
        rotation_assignment: see `keras_compat.auxiliary.RotationPrediction`.
        auxiliary_fraction: of each batch that auxiliary tasks with images of their own see, such as
            rotation; see `keras_compat.training.AuxiliaryHead`.
        auxiliary_every: in every how many rounds they take part.
        augment: whether training images are augmented.
        evaluation_batch_size: images that batch statistics are taken over, at most.
        seeds: how many runs, with seeds `seed`, `seed + 1`, ...
        seed: of the first run.
        data_dir: where TensorFlow Datasets keeps its data.
        download: whether it may download.
        channels: 1 makes images grey, 3 makes them colour; `None` keeps the data sets'.
        memory_limit_gib: a TensorFlow Datasets set of more pixels is read as it is needed.
    """

    preset: str
    rotation_data: str
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    image_size: int | None
    architecture: str
    training: Training
    fine_tuning_learning_rate: float
    methods: tuple[str, ...] = (
        "pretrained+rp",
        "iiw+rp",
        "rp",
        "independent",
        "pretrained+reinitialized",
        "reinitialized",
    )
    epochs: float = 5.0
    ranking_images: int = 1_000
    auxiliary_weight: float = 1.0
    rotation_assignment: str = "random"
    auxiliary_fraction: float = 1.0
    auxiliary_every: int = 1
    augment: bool = True
    evaluation_batch_size: int = 500
    seeds: int = 1
    seed: int = 0
    data_dir: str | None = None
    download: bool = False
    channels: int | None = None
    memory_limit_gib: float = 4.0

    def __post_init__(self) -> None:
        for what in ("sources", "targets", "methods"):
            values = getattr(self, what)
            if not values or len(set(values)) < len(values):
                raise InputError(f"{what} are {','.join(values)!r}; expected some, each once")
        for method in self.methods:
            if method not in METHODS:
                raise unknown_name("method", method, METHODS)
        if not self.pairs():
            raise InputError(
                f"source and target are both {self.sources[0]!r}; expected different data"
            )
        check_choice("rotation_assignment", self.rotation_assignment, ROTATION_ASSIGNMENTS)
        for name in ("fine_tuning_learning_rate", "auxiliary_weight"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(
                    f"{name} is {getattr(self, name)}; expected a finite number above 0"
                )
        check_at_least(0, {"memory_limit_gib": self.memory_limit_gib, "epochs": self.epochs})
        check_at_least(
            1,
            {
                "evaluation_batch_size": self.evaluation_batch_size,
                "ranking_images": self.ranking_images,
            },
        )
        check_auxiliary_cost(self.auxiliary_fraction, self.auxiliary_every)
        check_seeds(self.seed, self.seeds)

    def pairs(self) -> list[tuple[str, str]]:
        """Returns every source with every target but itself, as specs."""
        return [(s, t) for t in self.targets for s in self.sources if s != t]

    def specs(self) -> tuple[str, ...]:
        """Returns the specs of all data of a pair, each once."""
        return tuple(dict.fromkeys(spec for pair in self.pairs() for spec in pair))

    def lasting(self) -> dict[str, Any]:
        """Returns the settings by which a folder is known: of the images."""
        names = ("rotation_data", "image_size", "channels")
        return {name: getattr(self, name) for name in names}

    def of_network(self) -> dict[str, Any]:
        """Returns the settings that the weights of a network depend on before it is transferred."""
        return settings_without(
            self, *_PAIRS, "fine_tuning_learning_rate", "epochs", "ranking_images"
        )

    def of_ranking(self) -> dict[str, Any]:
        """Returns the settings that the ranking depends on, also by its networks."""
        return settings_without(self, *_PAIRS, "fine_tuning_learning_rate", "epochs")

    def of_transfer(self) -> dict[str, Any]:
        """Returns the settings that fine-tuning depends on, also by its networks."""
        return settings_without(self, *_PAIRS, "ranking_images")
