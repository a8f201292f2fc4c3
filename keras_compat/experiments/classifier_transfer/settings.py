"""Settings of classifier transfer (Sec. 5.2, Appendix B.7 and C)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Self

from keras_compat.errors import InputError, unknown_name
from keras_compat.experiments.fields import setting
from keras_compat.experiments.naming import LONGEST_NAME, file_name
from keras_compat.experiments.settings import (
    AuxiliarySettings,
    ClassNameSettings,
    RunSettings,
    TrainingSettings,
)

MAINTAIN = ("extractor", "rotation")
UPPER_BOUNDS = ("none", "original", "all")


@dataclass
class FormerFlags:
    """Flags of release 0.1.

    Args:
        rotation: Whether rotation is one of `--auxiliaries`, which replaces this flag.
    """

    rotation: bool


@dataclass(frozen=True, kw_only=True)
class Settings(AuxiliarySettings, ClassNameSettings, RunSettings):
    """Settings of a run of classifier transfer; the presets are instances.

    Args:
        dataset: Labelled images, such as `digits`, `folder:PATH` or `npz:PATH`.
        initial_classes: Classes of the first stage: a count, or names with commas between.
        extractors: Architecture and split point of each network, by the network's name.
        head: Architecture and split point whose later blocks are the shared head.
        reference: Network on whose extractor the new head is trained.
        interface_channels: Outputs of the 1x1 convolution that ends every extractor; 0 for none.
        maintain: Frozen parts that hold the features in place while the head is updated, each in
            turn (Appendix B.7).
        upper_bounds: Upper bounds to train: `original` is each network alone with its own head,
            `all` also with the shared architecture of heads.
        recalibration_images: Number of training images that are set aside, and used without labels.
        export: Whether SavedModels and LiteRT files are written and evaluated; by default where
            the packages that they need are installed.
        joint: First stage.
        update: Training of the extended head.
        bound: Training of the upper bounds.
    """

    flag_group: ClassVar[str] = "classifier transfer"
    shorthands: ClassVar[type] = FormerFlags
    needs_auxiliaries: ClassVar[bool] = False

    dataset: str = setting(listed="sources")
    initial_classes: str
    extractors: dict[str, str] = setting(
        form="NAME=ARCHITECTURE[@SPLIT]", separator=" ", noun="extractor", listed="architectures"
    )
    head: str = setting(listed="architectures")
    reference: str
    interface_channels: int = setting(64, at_least=0)
    maintain: tuple[str, ...] = setting(("extractor",), choices=MAINTAIN, distinct=True)
    upper_bounds: str = setting("original", choices=UPPER_BOUNDS)
    recalibration_images: int = setting(512, at_least=1)
    export: bool | None = None
    joint: TrainingSettings
    update: TrainingSettings
    bound: TrainingSettings

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.reference not in self.extractors:
            raise unknown_name("reference among the extractors", self.reference, self.extractors)
        for name in self.extractors:
            # TensorFlow takes no other names for what it exports.
            if not re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name) or len(name) > LONGEST_NAME:
                raise InputError(
                    f"extractor name {name!r}; expected a letter from a to z, then such letters, "
                    f"digits and underscores, {LONGEST_NAME} at most"
                )
        if "rotation" in self.maintain and "rotation" not in self.auxiliaries:
            raise InputError(
                f"maintain is {','.join(self.maintain)!r} and needs the rotation head of the first "
                "stage; name rotation among --auxiliaries, or add --maintain=extractor"
            )

    def changed(self, changes: Mapping[str, Any]) -> Self:
        """Returns these settings with some others; `rotation` adds or removes that task."""
        if "rotation" in changes:
            others = changes.get("auxiliaries", self.auxiliaries)
            found = ["rotation"] * changes["rotation"] + [n for n in others if n != "rotation"]
            changes = {**changes, "auxiliaries": tuple(found)}
        return super().changed(changes)

    @property
    def data_name(self) -> str:
        """Name of the data in the name of a run's folder."""
        return file_name(self.dataset)

    def of_item(self, item: Any) -> dict[str, Any]:
        """Returns the settings that a work item depends on: all but the other seeds."""
        return asdict(replace(self, seeds=1, seed=item.seed))
