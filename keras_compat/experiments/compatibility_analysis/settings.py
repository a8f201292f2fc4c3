"""What a run of the compatibility analysis is told (Sec. 4, Appendices A to C)."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from keras_compat.choices import ROTATION_ASSIGNMENTS, check_choice
from keras_compat.errors import InputError, unknown_name
from keras_compat.experiments.compatibility_analysis.methods import FIGURE_2, parse_method
from keras_compat.experiments.compatibility_analysis.studies import STUDIES
from keras_compat.experiments.settings import (
    check_at_least,
    check_auxiliary_cost,
    check_seeds,
    settings_without,
)
from keras_compat.experiments.training import Training

# What does not change how networks are trained, but how they are measured.
EVALUATION = ("restrict", "evaluation_batch_size")
_PRETRAINING = ("pretraining_dataset", "pretraining")


@dataclass(frozen=True)
class Config:
    """Every setting of a run; the presets are instances.

    Args:
        preset: the name that the settings go by.
        datasets: a spec string for each network, see `keras_compat.data.load`; at least two.
        image_size: of the images that the networks see; `None` keeps the data sets'.
        architectures: one architecture with split point for all networks, or one each.
        training: how each group of networks is trained.
        methods: of the study `methods`, and where networks are trained on one data set.
        studies: what to analyse, names of `studies.STUDIES` beside this file.
        interface_channels: outputs of a 1x1 convolution that ends every extractor, which networks
            of different architectures need; 0 for none.
        auxiliary_weight: of every auxiliary loss beside the target task's (Appendix C: 1).
        rotation_weight: of rotation prediction's, where it is to be another.
        rotation_assignment: `"random"`, `"cyclic"` or `"all"`, see
            `keras_compat.auxiliary.RotationPrediction`.
        auxiliary_fraction: of each batch that auxiliary tasks with images of their own see, such as
            rotation; see `keras_compat.training.AuxiliaryHead`.
        auxiliary_every: in every how many rounds they take part.
        augment: whether training images are augmented.
        restrict: whether recombined networks choose among the common classes only (Appendix C).
        evaluation_batch_size: test images that batch statistics are taken over, at most.
        pretraining_dataset: the spec of the images that the study `pretrained` starts from.
        pretraining: how rotation is learnt on them.
        aliases: other names of classes, each a name to the name it stands for.
        seeds: how many runs, with seeds `seed`, `seed + 1`, ...
        seed: of the first run.
        data_dir: where TensorFlow Datasets keeps its data.
        download: whether it may download.
        channels: 1 makes images grey, 3 makes them colour; `None` keeps the data sets'.
        memory_limit_gib: a TensorFlow Datasets set of more pixels is read as it is needed.
    """

    preset: str
    datasets: tuple[str, ...]
    image_size: int | None
    architectures: tuple[str, ...]
    training: Training
    pretraining: Training
    methods: tuple[str, ...] = FIGURE_2
    studies: tuple[str, ...] = ("methods",)
    interface_channels: int = 0
    auxiliary_weight: float = 1.0
    rotation_weight: float | None = None
    rotation_assignment: str = "random"
    auxiliary_fraction: float = 1.0
    auxiliary_every: int = 1
    augment: bool = True
    restrict: bool = True
    evaluation_batch_size: int = 500
    pretraining_dataset: str | None = None
    aliases: dict[str, str] = field(default_factory=dict)
    seeds: int = 1
    seed: int = 0
    data_dir: str | None = None
    download: bool = False
    channels: int | None = None
    memory_limit_gib: float = 4.0

    def __post_init__(self) -> None:
        if len(self.datasets) < 2:
            raise InputError(
                f"datasets are {','.join(self.datasets)!r}; expected at least two, such as "
                "digits,mnist5k (the same one twice is allowed)"
            )
        if len(self.architectures) not in (1, len(self.datasets)):
            raise InputError(
                f"{len(self.architectures)} architectures for {len(self.datasets)} data sets; "
                "expected one for all, or one each"
            )
        for method in self.methods:
            parse_method(method)
        for study in self.studies:
            if study not in STUDIES:
                raise unknown_name("study", study, STUDIES)
        if not self.studies or len(set(self.studies)) < len(self.studies):
            raise InputError(f"studies are {','.join(self.studies)!r}; expected some, each once")
        if "pretrained" in self.studies and self.pretraining_dataset is None:
            raise InputError(
                "study 'pretrained' needs images to learn rotation from; name them with "
                "--pretraining_dataset"
            )
        check_choice("rotation_assignment", self.rotation_assignment, ROTATION_ASSIGNMENTS)
        for name in ("auxiliary_weight", "rotation_weight"):
            weight = getattr(self, name)
            if weight is not None and not 0 < weight < math.inf:
                raise InputError(f"{name} is {weight}; expected a finite number above 0")
        check_at_least(
            0,
            {
                "interface_channels": self.interface_channels,
                "memory_limit_gib": self.memory_limit_gib,
            },
        )
        check_at_least(1, {"evaluation_batch_size": self.evaluation_batch_size})
        check_auxiliary_cost(self.auxiliary_fraction, self.auxiliary_every)
        check_seeds(self.seed, self.seeds)

    def lasting(self) -> dict[str, Any]:
        """Returns the settings that all cells of a folder have in common.

        More studies, methods and seeds may join later, and the pre-training that one study needs;
        where TensorFlow Datasets keeps its data does not matter.
        """
        return settings_without(self, "studies", "methods", *_PRETRAINING)

    def trains(self, pretrained: bool) -> dict[str, Any]:
        """Returns the settings that the weights of a cell depend on, beside its images.

        Args:
            pretrained: whether the cell is the pre-training, or starts from it.
        """
        left_out = {*EVALUATION, "datasets"}
        kept = {k: v for k, v in self.lasting().items() if k not in left_out}
        return kept | ({"pretraining": asdict(self)["pretraining"]} if pretrained else {})

    def weight(self, auxiliary: str) -> float:
        """Returns the weight of an auxiliary task's loss."""
        if auxiliary == "rotation" and self.rotation_weight is not None:
            return self.rotation_weight
        return self.auxiliary_weight

    def architecture(self, network: int) -> str:
        """Returns the architecture of a network by its number."""
        return self.architectures[network % len(self.architectures)]
