"""Settings of transfer learning (Sec. 5.3, Appendix C)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from keras_compat.errors import InputError
from keras_compat.experiments.fields import setting
from keras_compat.experiments.naming import file_name
from keras_compat.experiments.settings import (
    AuxiliarySettings,
    BatchEvaluationSettings,
    RunSettings,
    TrainingSettings,
)
from keras_compat.experiments.transfer_learning.methods import METHODS

# Settings that say which networks there are; a network does not depend on the others.
_PAIRS = ("sources", "targets", "methods")
_FINE_TUNING = ("fine_tuning_learning_rate", "epochs")


@dataclass(frozen=True, kw_only=True)
class Settings(AuxiliarySettings, BatchEvaluationSettings, RunSettings):
    """Settings of a run of transfer learning; the presets are instances.

    Args:
        rotation_data: Labelled images that the rotation head is trained on.
        sources: Data sets whose extractors are transferred.
        targets: Data sets that the extractors are transferred to.
        methods: Methods to compare.
        architecture: Architecture and split point of all networks.
        epochs: Epochs of fine-tuning on the target; 0 only ranks the sources.
        fine_tuning_learning_rate: Learning rate of fine-tuning, constant; by Adam without weight
            decay.
        ranking_images: Number of the target's training images by which sources are ranked before
            any fine-tuning.
        training: Training of each network before it is transferred.
    """

    flag_group: ClassVar[str] = "transfer learning"
    known_by: ClassVar[tuple[str, ...]] = ("rotation_data", "image_size", "channels")
    unused: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "rotation_head": (*_PAIRS, *_FINE_TUNING, "ranking_images"),
        "network": (*_PAIRS, *_FINE_TUNING, "ranking_images"),
        "ranking": (*_PAIRS, *_FINE_TUNING),
        "transfer": (*_PAIRS, "ranking_images"),
    }

    rotation_data: str = setting(listed="sources")
    sources: tuple[str, ...] = setting(distinct=True, listed="sources")
    targets: tuple[str, ...] = setting(distinct=True, listed="sources", alias="target")
    methods: tuple[str, ...] = setting(
        tuple(name for name in METHODS if name != "pretrained"),
        choices=METHODS,
        noun="method",
        distinct=True,
    )
    architecture: str = setting(form="ARCHITECTURE@SPLIT", listed="architectures")
    epochs: float = setting(5.0, at_least=0)
    fine_tuning_learning_rate: float = setting(above=0)
    ranking_images: int = setting(1_000, at_least=1)
    training: TrainingSettings

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.pairs():
            raise InputError(
                f"source and target are both {self.sources[0]!r}; expected different data"
            )

    @property
    def data_name(self) -> str:
        """Name of the data in the name of a run's folder."""
        return file_name(*self.sources, *self.targets)

    def pairs(self) -> list[tuple[str, str]]:
        """Returns every source with every target but itself, as specs."""
        return [(s, t) for t in self.targets for s in self.sources if s != t]

    def specs(self) -> tuple[str, ...]:
        """Returns the specs of all data of a pair, each once."""
        return tuple(dict.fromkeys(spec for pair in self.pairs() for spec in pair))
