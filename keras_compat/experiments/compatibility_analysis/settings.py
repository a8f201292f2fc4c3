"""Settings of the compatibility analysis (Sec. 4, Appendices A to C)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Self

from keras_compat.auxiliary import AUXILIARIES
from keras_compat.errors import InputError
from keras_compat.experiments.fields import Checked, setting
from keras_compat.experiments.naming import file_name
from keras_compat.experiments.settings import (
    AuxiliaryLossSettings,
    BatchEvaluationSettings,
    ClassNameSettings,
    RunSettings,
    TrainingSettings,
    settings_without,
)
from keras_compat.methods import (
    FIGURE_2,
    INDEPENDENT,
    parse_method,
    parse_methods,
)
from keras_compat.registry import Selection
from keras_compat.studies import STUDIES

# Settings that change how networks are measured, and not how they are trained.
EVALUATION = ("restrict", "evaluation_batch_size")
_PRETRAINING = ("pretraining_dataset", "pretraining")


@dataclass(frozen=True, kw_only=True)
class Shorthands(Checked):
    """Flags that stand for other settings.

    Args:
        auxiliaries: Auxiliary tasks whose methods are compared with independent training, instead
            of `--methods`.
    """

    auxiliaries: tuple[str, ...] = setting(
        choices=Selection(AUXILIARIES, lambda entry: entry.token),
        distinct=True,
        listed="auxiliaries",
    )


@dataclass(frozen=True, kw_only=True)
class Settings(AuxiliaryLossSettings, BatchEvaluationSettings, ClassNameSettings, RunSettings):
    """Settings of a run of the compatibility analysis; the presets are instances.

    Args:
        datasets: Images of each network, two data sets at least.
        studies: Studies to make.
        methods: Methods of the study `methods` and of networks that are trained on one data set:
            `independent`, or parts joined by `+`.
        architectures: Architecture and split point of all networks, or of each.
        interface_channels: Outputs of a 1x1 convolution that ends every extractor, which networks
            of different architectures need; 0 for none.
        restrict: Whether recombined networks choose among the common classes only (Appendix C).
        rotation_weight: Weight of rotation's loss; by default that of every auxiliary loss.
        pretraining_dataset: Images that the networks of the study `pretrained` learn rotation on
            first.
        training: Training of every group of networks.
        pretraining: Training of rotation on the pre-training images.
    """

    flag_group: ClassVar[str] = "compatibility analysis"
    shorthands: ClassVar[type] = Shorthands

    datasets: tuple[str, ...] = setting(listed="sources")
    studies: tuple[str, ...] = setting(
        ("methods",), choices=STUDIES, noun="study", distinct=True, listed="studies"
    )
    methods: tuple[str, ...] = setting(FIGURE_2, read=parse_methods, listed="methods")
    architectures: tuple[str, ...] = setting(
        form="ARCHITECTURE@SPLIT", separator=" ", listed="architectures"
    )
    interface_channels: int = setting(0, at_least=0)
    restrict: bool = True
    rotation_weight: float | None = setting(None, above=0)
    pretraining_dataset: str | None = setting(None, listed="sources")
    training: TrainingSettings
    pretraining: TrainingSettings

    def __post_init__(self) -> None:
        super().__post_init__()
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
        if "pretrained" in self.studies and self.pretraining_dataset is None:
            raise InputError(
                "study 'pretrained' needs images to learn rotation from; name them with "
                "--pretraining_dataset"
            )

    def changed(self, changes: Mapping[str, Any]) -> Self:
        """Returns these settings with some others; auxiliary tasks name their methods."""
        if "auxiliaries" in changes:
            asked = Shorthands(auxiliaries=changes["auxiliaries"]).auxiliaries
            methods = (INDEPENDENT, *(AUXILIARIES[name].token for name in asked))
            changes = {"methods": methods, **changes}
        return super().changed(changes)

    @property
    def data_name(self) -> str:
        """Name of the data in the name of a run's folder."""
        return file_name(*self.datasets)

    @property
    def shares_devices(self) -> bool:
        """Whether the run works in other processes even with one job."""
        return "cost" in self.studies

    def lasting(self) -> dict[str, Any]:
        """Returns the settings that all cells of a folder have in common.

        More studies, methods and seeds may join later, and the pre-training that one study needs.
        """
        return settings_without(self, "studies", "methods", *_PRETRAINING)

    def trains(self, pretrained: bool) -> dict[str, Any]:
        """Returns the settings that the weights of a cell depend on, `pretrained` or not."""
        left_out = {*EVALUATION, "datasets"}
        kept = {k: v for k, v in self.lasting().items() if k not in left_out}
        return kept | ({"pretraining": asdict(self)["pretraining"]} if pretrained else {})

    def weight(self, auxiliary: str) -> float:
        """Returns the weight of an auxiliary task's loss."""
        if auxiliary == "rotation" and self.rotation_weight is not None:
            return self.rotation_weight
        return super().weight(auxiliary)

    def architecture(self, network: int) -> str:
        """Returns the architecture of a network by its number."""
        return self.architectures[network % len(self.architectures)]


def apply_variant(config: Settings, name: str | None) -> Settings:
    """Returns the settings with a change of `keras_compat.studies.rotation.VARIANTS`, if any."""
    if name is None:
        return config
    # Not for `--help`: the study loads what its report needs.
    from keras_compat.studies.rotation import VARIANTS

    change, how = VARIANTS[name], config.training
    training = replace(
        how,
        rounds=round(change.rounds * how.rounds),
        drops=tuple(round(change.rounds * drop) for drop in how.drops),
        learning_rate=change.learning_rate * how.learning_rate,
    )
    if change.constant_rate:
        training = replace(training, schedule="steps", drops=())
    config = replace(config, training=training)
    if change.heavier != change.lighter:
        weight = config.weight("rotation") * change.heavier / change.lighter
        config = replace(config, rotation_weight=weight)
    if change.rotation_assignment is not None:
        config = replace(config, rotation_assignment=change.rotation_assignment)
    if change.switched_augmentation:
        config = replace(config, augment=not config.augment)
    return config
