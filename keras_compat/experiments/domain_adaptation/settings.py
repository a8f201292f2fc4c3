"""What a run of domain adaptation is told (Sec. 5.1, Appendix C)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
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

# Which layers of the extractor learn on the target, see `adaptation.let_learn`.
LAYERS = ("all", "normalization", "first_half")
# Tasks that need no labels and can hold features in place through a frozen head.
AUXILIARIES = ("rotation", "jigsaw", "colorization", "exemplar", "contrastive")
# By what the way to adapt, and how far, is chosen without labels, see `choosing`.
CRITERIA = ("mutual_information", "loss")
# By nothing: all layers, as many rounds and the rate that the settings say.
PUBLISHED = "published"


@dataclass(frozen=True)
class Config:
    """Every setting of a run; the presets are instances.

    Args:
        preset: the name that the settings go by.
        source: the spec of labelled images, see `keras_compat.data.load`; `None` where a stored
            network is adapted.
        target: the spec of images, whose labels are not used but to test; or a folder of images
            without class folders.
        image_size: of the images that the networks see; `None` keeps the data sets'.
        architecture: with its split point.
        training: of the source network.
        adaptation: of the extractor on the target, as published.
        network: the folder of a stored network to adapt, instead of training one on `source`.
        both: whether the target is a source too, and the source its target.
        rotation_init: the spec of images that the rotation head learns on first; `None` starts it
            from random weights.
        rotation_training: how it does.
        auxiliaries: the tasks whose heads are frozen while the extractor adapts.
        auxiliary_weight: of each of their losses in source training.
        rotation_assignment: see `keras_compat.auxiliary.RotationPrediction`.
        auxiliary_fraction: of each batch that auxiliary tasks with images of their own see, such as
            rotation; see `keras_compat.training.AuxiliaryHead`.
        auxiliary_every: in every how many rounds they take part.
        learning_rates: beside that of `adaptation`, to choose among without labels.
        layers: which parts of the extractor may learn, to choose among: `"all"`,
            `"normalization"` (scales and offsets alone), `"first_half"` of the layers.
        choose_by: `"mutual_information"` of the classifier's answers or the auxiliary `"loss"`, on
            held-out images of the target, or `"published"` for no choice; says which adapted
            network is stored.
        checkpoints: how often accuracy and loss are taken on the way, the end included.
        held_out: target images, a part of one, that loss is measured on and nothing learns from.
        augment: whether training images are augmented.
        evaluation_batch_size: test images that batch statistics are taken over, at most.
        aliases: other names of classes, each a name to the name it stands for.
        seeds: how many runs, with seeds `seed`, `seed + 1`, ...
        seed: of the first run.
        data_dir: where TensorFlow Datasets keeps its data.
        download: whether it may download.
        channels: 1 makes images grey, 3 makes them colour; `None` keeps the data sets'.
        memory_limit_gib: a TensorFlow Datasets set of more pixels is read as it is needed.
    """

    preset: str
    source: str | None
    target: str
    image_size: int | None
    architecture: str
    training: Training
    adaptation: Training
    rotation_training: Training
    network: str | None = None
    both: bool = True
    rotation_init: str | None = None
    auxiliaries: tuple[str, ...] = ("rotation",)
    auxiliary_weight: float = 1.0
    rotation_assignment: str = "random"
    auxiliary_fraction: float = 1.0
    auxiliary_every: int = 1
    learning_rates: tuple[float, ...] = ()
    layers: tuple[str, ...] = ("all",)
    choose_by: str = "mutual_information"
    checkpoints: int = 10
    held_out: float = 0.1
    augment: bool = True
    evaluation_batch_size: int = 500
    aliases: dict[str, str] = field(default_factory=dict)
    seeds: int = 1
    seed: int = 0
    data_dir: str | None = None
    download: bool = False
    channels: int | None = None
    memory_limit_gib: float = 4.0

    def __post_init__(self) -> None:
        if (self.source is None) == (self.network is None):
            raise InputError(
                f"source is {self.source!r} and network is {self.network!r}; expected one of them: "
                "images to train a network on, or a trained one"
            )
        for what, names, known in (
            ("layers", self.layers, LAYERS),
            ("auxiliaries", self.auxiliaries, AUXILIARIES),
        ):
            for name in names:
                if name not in known:
                    raise unknown_name(f"value of {what}", name, known)
            if not names or len(set(names)) < len(names):
                raise InputError(f"{what} are {','.join(names)!r}; expected some, each once")
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
        if self.choose_by not in (*CRITERIA, PUBLISHED):
            raise unknown_name("value of choose_by", self.choose_by, (*CRITERIA, PUBLISHED))
        if self.choose_by == PUBLISHED and "all" not in self.layers:
            raise InputError(
                f"choose_by is {PUBLISHED!r}, which is of all layers, and layers are "
                f"{','.join(self.layers)!r}; add 'all', or choose by another"
            )
        check_choice("rotation_assignment", self.rotation_assignment, ROTATION_ASSIGNMENTS)
        for rate in self.learning_rates:
            if not 0 < rate < math.inf:
                raise InputError(f"learning_rates have {rate}; expected finite numbers above 0")
        if not 0 < self.auxiliary_weight < math.inf:
            raise InputError(
                f"auxiliary_weight is {self.auxiliary_weight}; expected a finite number above 0"
            )
        if not 0 < self.held_out < 1:
            raise InputError(f"held_out is {self.held_out}; expected a part of one, such as 0.1")
        if not 1 <= self.checkpoints <= self.adaptation.rounds:
            raise InputError(
                f"checkpoints is {self.checkpoints}; expected 1 to {self.adaptation.rounds}, the "
                "rounds of adaptation"
            )
        check_at_least(0, {"memory_limit_gib": self.memory_limit_gib})
        check_at_least(1, {"evaluation_batch_size": self.evaluation_batch_size})
        check_auxiliary_cost(self.auxiliary_fraction, self.auxiliary_every)
        check_seeds(self.seed, self.seeds)

    def lasting(self) -> dict[str, Any]:
        """Returns the settings by which a folder is known: the images, or the stored network."""
        names = ("source", "target", "network", "image_size", "channels")
        return {name: getattr(self, name) for name in names}

    def of_source(self) -> dict[str, Any]:
        """Returns the settings that the weights of a source network depend on."""
        return settings_without(
            self,
            "adaptation",
            "learning_rates",
            "layers",
            "checkpoints",
            "held_out",
            "choose_by",
            "both",
        )

    def of_adaptation(self) -> dict[str, Any]:
        """Returns the settings that an adaptation depends on, also by its source network."""
        return settings_without(self, "both")
