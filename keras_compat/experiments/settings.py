"""Settings that several experiments have; each experiment's own settings are composed of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from keras_compat.auxiliary import AUXILIARIES
from keras_compat.choices import (
    FULL,
    GLOBAL,
    OPTIMIZERS,
    PRECISIONS,
    RANDOM,
    ROTATION_ASSIGNMENTS,
    SCHEDULES,
    STATISTICS_OVER,
)
from keras_compat.errors import InputError
from keras_compat.experiments.fields import Checked, setting
from keras_compat.registry import Selection

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

# Auxiliary tasks that need no labels and can hold features in place through a frozen head.
ADAPTING = Selection(AUXILIARIES, lambda entry: entry.adapts)
# Settings that say which run it is, and where its data are.
_OF_A_RUN = ("preset", "seeds", "seed", "data_dir", "download", "memory_limit_gib")
# Seeds of weights, orders and augmentation are 1000 times a run's seed and more, in 32 bits.
MAX_SEED = 4_000_000
CHECKPOINT_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class TrainingSettings(Checked):
    """Settings of one stage of training.

    Args:
        rounds: Number of rounds; each is a gradient step of every task.
        batch_size: Number of images of each task in a step.
        learning_rate: Highest learning rate.
        schedule: Course of the learning rate: `cosine` lowers it to zero.
        drops: Rounds after which the schedule `steps` divides the learning rate by ten.
        weight_decay: Decoupled weight decay, as Keras applies it: times the learning rate.
        optimizer: Optimizer; `sgd` has momentum 0.9.
        precision: Precision of the computations; networks are stored in float32.
        batch_statistics_over: Batch that normalization takes its statistics over where several
            devices train: the global one, or the part of each device.
    """

    rounds: int = setting(above=0)
    batch_size: int = setting(128, above=0, every_stage=True)
    learning_rate: float = setting(1e-3, above=0)
    schedule: str = setting("steps", choices=SCHEDULES, noun="schedule")
    drops: tuple[int, ...] = ()
    weight_decay: float = setting(0.0, at_least=0)
    optimizer: str = setting("adam", choices=OPTIMIZERS, noun="optimizer")
    precision: str = setting(FULL, choices=PRECISIONS, noun="precision", every_stage=True)
    batch_statistics_over: str = setting(GLOBAL, choices=STATISTICS_OVER, every_stage=True)

    def changed(self, changes: Mapping[str, Any]) -> TrainingSettings:
        """Returns these settings with some others; drops stay at the same parts of the way."""
        if "rounds" in changes:
            drops = tuple(round(d * changes["rounds"] / self.rounds) for d in self.drops)
            changes = {"drops": drops, **changes}
        return replace(self, **changes)


APPENDIX_C = TrainingSettings(
    rounds=20_000,
    batch_size=512,
    learning_rate=1e-2,
    drops=(5_000, 10_000, 15_000),
    weight_decay=1e-7,
)
"""Training of the paper: Adam, the learning rate divided by ten every 5,000 of 20,000 steps."""


@dataclass(frozen=True, kw_only=True)
class RunSettings(Checked):
    """Settings of every run.

    Args:
        preset: Name of the preset that the settings come from.
        seeds: Number of runs, with seeds `seed`, `seed + 1`, ...; the report gives mean and
            standard deviation.
        seed: Seed of the first run.
    """

    flag_group: ClassVar[str] = "run"
    shorthands: ClassVar[type | None] = None
    """Dataclass of flags that stand for other settings; `changed` reads them."""
    known_by: ClassVar[tuple[str, ...]] = ()
    """Names of the settings by which an unfinished folder is known; all if there are none."""
    unused: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Names of the settings that a work item does not depend on, by the item's kind."""

    preset: str = setting(flag=False)
    seeds: int = setting(1, at_least=1)
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.seed <= MAX_SEED - self.seeds:
            raise InputError(
                f"seed is {self.seed}; expected 0 to {MAX_SEED - self.seeds:,} for {self.seeds} "
                "seeds"
            )

    @property
    def data_name(self) -> str:
        """Name of the data in the name of a run's folder."""
        raise NotImplementedError

    @property
    def shares_devices(self) -> bool:
        """Whether the run works in other processes even with one job."""
        return False

    def lasting(self) -> dict[str, Any]:
        """Returns the settings by which an unfinished folder is known."""
        found = asdict(self)
        return {name: found[name] for name in self.known_by or found}

    def of_item(self, item: Any) -> dict[str, Any]:
        """Returns the settings that a work item depends on, also by those before it."""
        return settings_without(self, *self.unused[item.kind])

    def stages(self) -> dict[str, TrainingSettings]:
        """Returns the stages of training by the names of their settings."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {k: value for k, value in found.items() if isinstance(value, TrainingSettings)}

    def changed(self, changes: Mapping[str, Any]) -> Self:
        """Returns these settings with some others.

        Args:
            changes: Values by the names of settings, those of stages as `stage_flags` names them.

        Raises:
            InputError: if a value is not accepted.

        Example:

        >>> from keras_compat.experiments.classifier_transfer.presets import PRESETS
        >>> settings = PRESETS["demo"].changed({"joint_rounds": 5, "batch_size": 4, "seed": 1})
        >>> settings.joint.rounds, settings.update.batch_size, settings.seed
        (5, 4, 1)
        """
        found = {field.name: changes[field.name] for field in fields(self) if field.name in changes}
        for name, stage in self.stages().items():
            flags = stage_flags(name)
            found[name] = stage.changed(
                {f: changes[flags[f]] for f in flags if flags[f] in changes}
            )
        return replace(self, **found)


def stage_flags(stage: str) -> dict[str, str]:
    """Returns the names of the flags of a stage by the fields of `TrainingSettings`.

    Args:
        stage: Name of the setting: `training` gives no prefix, `rotation_training` and `rotation`
            give the prefix `rotation_`.

    Example:

    >>> flags = stage_flags("rotation_training")
    >>> flags["rounds"], flags["batch_size"], stage_flags("training")["rounds"]
    ('rotation_rounds', 'batch_size', 'rounds')
    """
    prefix = "" if stage == "training" else f"{stage.removesuffix('_training')}_"
    return {
        field.name: field.name if "every_stage" in field.metadata else f"{prefix}{field.name}"
        for field in fields(TrainingSettings)
    }


@dataclass(frozen=True, kw_only=True)
class DataSettings(Checked):
    """Settings of the data of a run.

    Args:
        image_size: Height and width in pixels that all images get; by default those of the data.
        channels: 1 for grey images, 3 for colour; by default as the data are.
        augment: Whether training images are augmented.
        data_dir: Folder where TensorFlow Datasets keeps its data.
        download: Whether TensorFlow Datasets may download.
        memory_limit_gib: Memory in GiB that pixels may take; a larger set of TensorFlow Datasets is
            streamed, other data are refused.
    """

    flag_group: ClassVar[str] = "data"

    image_size: int | None
    channels: int | None = None
    augment: bool = True
    data_dir: str | None = setting(None, form="FOLDER")
    download: bool = False
    memory_limit_gib: float = setting(4.0, at_least=0)


@dataclass(frozen=True, kw_only=True)
class ClassNameSettings(DataSettings):
    """Settings of data whose classes are known by their names.

    Args:
        aliases: Other names of classes, such as `kitten=cat`.
    """

    aliases: dict[str, str] = setting({}, form="NAME=CLASS", noun="alias")


@dataclass(frozen=True, kw_only=True)
class BatchEvaluationSettings(DataSettings):
    """Settings of data that are evaluated with batch statistics.

    Args:
        evaluation_batch_size: Number of test images that batch statistics are taken over, at most.
    """

    evaluation_batch_size: int = setting(500, at_least=1)


@dataclass(frozen=True, kw_only=True)
class AuxiliaryLossSettings(Checked):
    """Settings of the losses of auxiliary tasks.

    Args:
        auxiliary_weight: Weight of every auxiliary loss beside the target task's (Appendix C: 1).
        rotation_assignment: Assignment of angles to the images of the task `rotation`.
        auxiliary_fraction: Part of each batch that auxiliary tasks with images of their own see,
            such as rotation.
        auxiliary_every: Number of rounds in which these tasks take part once.
    """

    flag_group: ClassVar[str] = "auxiliary tasks"

    auxiliary_weight: float = setting(1.0, above=0)
    rotation_assignment: str = setting(
        RANDOM, choices=ROTATION_ASSIGNMENTS, noun="rotation_assignment"
    )
    auxiliary_fraction: float = setting(1.0, above=0, at_most=1)
    auxiliary_every: int = setting(1, at_least=1)

    def weight(self, auxiliary: str) -> float:
        """Returns the weight of an auxiliary task's loss."""
        return self.auxiliary_weight


@dataclass(frozen=True, kw_only=True)
class AuxiliarySettings(AuxiliaryLossSettings):
    """Settings of auxiliary tasks that are chosen by their names.

    Args:
        auxiliaries: Auxiliary tasks whose shared or frozen heads make extractors compatible.
    """

    needs_auxiliaries: ClassVar[bool] = True

    auxiliaries: tuple[str, ...] = setting(
        ("rotation",), choices=ADAPTING, distinct=True, may_be_empty=True, listed="auxiliaries"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.needs_auxiliaries and not self.auxiliaries:
            raise InputError(f"auxiliaries are ''; expected some of {', '.join(ADAPTING)}")


def settings_without(settings: DataclassInstance, *names: str) -> dict[str, Any]:
    """Returns the settings that weights can depend on, without some of them.

    Those that say which run it is, and where its data are, are left out too.

    Example:

    >>> from keras_compat.experiments.transfer_learning.presets import PRESETS
    >>> found = settings_without(PRESETS["demo"], "epochs")
    >>> found["image_size"], "epochs" in found, "seed" in found
    (16, False, False)
    """
    left_out = (*_OF_A_RUN, *names)
    return {name: value for name, value in asdict(settings).items() if name not in left_out}


@dataclass(frozen=True)
class Resuming:
    """Says how a run goes on after an interruption; results do not depend on it.

    Args:
        resume: Whether to go on where an interrupted run of the same settings was.
        checkpoint_seconds: Seconds between two checkpoints of a training; 0 writes none.

    Raises:
        InputError: if the seconds are negative or no number.

    Example:

    >>> Resuming(checkpoint_seconds=-1)
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: checkpoint_seconds is -1; expected 0 (none) or more
    """

    resume: bool = True
    checkpoint_seconds: float = CHECKPOINT_SECONDS

    def __post_init__(self) -> None:
        if not 0 <= self.checkpoint_seconds < math.inf:
            raise InputError(
                f"checkpoint_seconds is {self.checkpoint_seconds:g}; expected 0 (none) or more"
            )


RESUMING = Resuming()
"""The options of a run unless others are given."""
