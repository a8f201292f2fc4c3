"""Settings of domain adaptation (Sec. 5.1, Appendix C)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Self

from keras_compat.errors import InputError
from keras_compat.experiments.fields import setting
from keras_compat.experiments.naming import file_name
from keras_compat.experiments.settings import (
    AuxiliarySettings,
    BatchEvaluationSettings,
    ClassNameSettings,
    RunSettings,
    TrainingSettings,
    stage_flags,
)

# Layers of the extractor that learn on the target, see `adaptation.let_learn`.
LAYERS = ("all", "normalization", "first_half")
# Measures without labels by which the way to adapt, and how far, is chosen, see `adaptation`.
CRITERIA = ("mutual_information", "loss")
# No choice: all layers, the rounds and the rate of the settings.
PUBLISHED = "published"
_ADAPTATION = ("adaptation", "learning_rates", "layers", "checkpoints", "held_out", "choose_by")


@dataclass(frozen=True, kw_only=True)
class Settings(AuxiliarySettings, BatchEvaluationSettings, ClassNameSettings, RunSettings):
    """Settings of a run of domain adaptation; the presets are instances.

    Args:
        source: Labelled images of the source; none where a stored network is adapted.
        target: Images to adapt to; their labels tell the common classes and test. A folder of
            images without class folders is allowed.
        both: Whether the target is a source too, and the source its target.
        network: Folder of a stored network to adapt, instead of training one on the source.
        architecture: Architecture and split point of the network.
        rotation_init: Images that the rotation head learns on first; none starts it from random
            weights.
        learning_rates: More learning rates of the adaptation, to choose among without labels.
        layers: Layers of the extractor that may learn, to choose among; `normalization` is scales
            and offsets alone.
        choose_by: Measure on held-out images of the target by which the network to store is chosen:
            mutual information of the classifier's answers, or the auxiliary loss; `published` makes
            no choice.
        checkpoints: Number of times that accuracy and loss are measured on the way, with the end.
        held_out: Part of the target images that loss is measured on and nothing learns from.
        training: Training of the source network.
        rotation_training: Training of the rotation head on `--rotation_init`.
        adaptation: Adaptation of the extractor to the target.
    """

    flag_group: ClassVar[str] = "domain adaptation"
    known_by: ClassVar[tuple[str, ...]] = ("source", "target", "network", "image_size", "channels")
    unused: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "rotation_init": ("both", *_ADAPTATION),
        "source": ("both", *_ADAPTATION),
        "adaptation": ("both",),
    }

    source: str | None = setting(listed="sources")
    target: str = setting(listed="sources")
    both: bool = True
    network: str | None = setting(None, form="FOLDER")
    architecture: str = setting(form="ARCHITECTURE@SPLIT", listed="architectures")
    rotation_init: str | None = setting(None, listed="sources")
    learning_rates: tuple[float, ...] = setting((), above=0)
    layers: tuple[str, ...] = setting(("all",), choices=LAYERS, distinct=True)
    choose_by: str = setting("mutual_information", choices=(*CRITERIA, PUBLISHED))
    checkpoints: int = setting(10, at_least=1)
    held_out: float = setting(0.1, above=0, below=1)
    training: TrainingSettings
    rotation_training: TrainingSettings
    adaptation: TrainingSettings

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.source is None) == (self.network is None):
            raise InputError(
                f"source is {self.source!r} and network is {self.network!r}; expected one of them: "
                "images to train a network on, or a trained one"
            )
        if self.rotation_init is not None and self.network is not None:
            raise InputError(
                f"rotation_init is {self.rotation_init!r}, but network {self.network!r} has its "
                "heads already; leave one of them out"
            )
        if self.rotation_init is not None and "rotation" not in self.auxiliaries:
            raise InputError(
                f"rotation_init is {self.rotation_init!r}, but rotation is not among the "
                f"auxiliaries {','.join(self.auxiliaries)}; leave one of them out"
            )
        if self.choose_by == PUBLISHED and "all" not in self.layers:
            raise InputError(
                f"choose_by is {PUBLISHED!r}, which is of all layers, and layers are "
                f"{','.join(self.layers)!r}; add 'all', or choose by another"
            )
        if self.checkpoints > self.adaptation.rounds:
            raise InputError(
                f"checkpoints is {self.checkpoints}; expected 1 to {self.adaptation.rounds}, the "
                "rounds of adaptation"
            )

    @property
    def data_name(self) -> str:
        """Name of the data in the name of a run's folder."""
        source = Path(self.network).name if self.network else self.source
        return f"{file_name(source)}-{file_name(self.target)}"

    def changed(self, changes: Mapping[str, Any]) -> Self:
        """Returns these settings with some others; a stored network takes the source's place."""
        network = changes.get("network")
        if network is None:
            return super().changed(changes)
        of_source = {
            *("source", "image_size", "channels", "both", "architecture", "rotation_init"),
            *(field.name for field in fields(AuxiliarySettings)),
            *stage_flags("training").values(),
            *stage_flags("rotation_training").values(),
        } - {"rotation_assignment", *stage_flags("adaptation").values()}
        useless = [name for name in changes if name in of_source]
        if useless:
            raise InputError(
                f"--{useless[0]} is of a source network to train, but --network={network} is "
                "trained; leave one of them out"
            )
        without = dict.fromkeys(("source", "rotation_init", "image_size", "channels"))
        return super().changed({**without, "both": False, **changes})
