"""What a run of classifier transfer is told (Sec. 5.2, Appendix B.7 and C)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from keras_compat.errors import InputError, unknown_name
from keras_compat.experiments.naming import LONGEST_NAME
from keras_compat.experiments.settings import check_at_least, check_auxiliary_cost, check_seeds
from keras_compat.experiments.training import Training

MAINTAIN = ("extractor", "rotation")
UPPER_BOUNDS = ("none", "original", "all")


@dataclass(frozen=True)
class Config:
    """Every setting of a run; the presets are instances.

    Args:
        preset: the name that the settings go by.
        dataset: a spec string, see `keras_compat.data.load`.
        image_size: of the images that the networks see; `None` keeps the data set's.
        initial_classes: a count or names; the classes of the first stage.
        aliases: other names of classes, for `initial_classes`: each a name to the name it stands
            for.
        extractors: architecture with split point by the name of the network.
        head: the architecture with split point whose later blocks are the shared head.
        reference: the network on whose extractor the new head is trained.
        interface_channels: outputs of the 1x1 convolution that ends every extractor; 0 for none.
        rotation: whether a shared rotation head joins the first stage.
        auxiliary_fraction: of each batch that auxiliary tasks with images of their own see, such as
            rotation; see `keras_compat.training.AuxiliaryHead`.
        auxiliary_every: in every how many rounds they take part.
        maintain: what holds the features in place while the head is updated: the frozen
            `"extractor"`, or a frozen `"rotation"` head (B.7); one run may do both.
        joint: the first stage.
        update: the training of the extended head.
        bound: the training of the upper bounds.
        upper_bounds: `"original"` (each network alone with its own head), `"all"` (also with the
            changed architecture), or `"none"`.
        augment: whether training images are augmented.
        recalibration_images: taken out of the training images, and used without labels.
        export: whether SavedModels and LiteRT files are written and evaluated; `None` for where
            the packages that they need are installed.
        seeds: how many runs, with seeds `seed`, `seed + 1`, ...
        seed: of the first run.
        data_dir: where TensorFlow Datasets keeps its data.
        download: whether it may download.
        channels: 1 makes images grey, 3 makes them colour; `None` keeps the data set's.
        memory_limit_gib: a TensorFlow Datasets set of more pixels is read as it is needed.
    """

    preset: str
    dataset: str
    image_size: int | None
    initial_classes: str
    extractors: dict[str, str]
    head: str
    reference: str
    joint: Training
    update: Training
    bound: Training
    interface_channels: int = 64
    rotation: bool = True
    auxiliary_fraction: float = 1.0
    auxiliary_every: int = 1
    maintain: tuple[str, ...] = ("extractor",)
    upper_bounds: str = "original"
    augment: bool = True
    recalibration_images: int = 512
    export: bool | None = None
    seeds: int = 1
    seed: int = 0
    data_dir: str | None = None
    download: bool = False
    channels: int | None = None
    memory_limit_gib: float = 4.0
    aliases: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.reference not in self.extractors:
            raise unknown_name("reference among the extractors", self.reference, self.extractors)
        for name in self.extractors:
            # TensorFlow takes no other names for what it exports.
            if not re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name) or len(name) > LONGEST_NAME:
                raise InputError(
                    f"extractor name {name!r}; expected a letter from a to z, then such letters, "
                    f"digits and underscores, {LONGEST_NAME} at most"
                )
        for what in self.maintain:
            if what not in MAINTAIN:
                raise unknown_name("value of maintain", what, MAINTAIN)
        if not self.maintain or len(set(self.maintain)) < len(self.maintain):
            raise InputError(
                f"maintain is {','.join(self.maintain)!r}; expected one or both of "
                f"{', '.join(MAINTAIN)}, each once"
            )
        if "rotation" in self.maintain and not self.rotation:
            raise InputError(
                f"maintain is {','.join(self.maintain)!r} and needs the rotation head of the first "
                "stage; leave out --no-rotation, or add --maintain=extractor"
            )
        if self.upper_bounds not in UPPER_BOUNDS:
            raise unknown_name("value of upper_bounds", self.upper_bounds, UPPER_BOUNDS)
        check_at_least(
            0,
            {
                "interface_channels": self.interface_channels,
                "memory_limit_gib": self.memory_limit_gib,
            },
        )
        check_at_least(1, {"recalibration_images": self.recalibration_images})
        check_auxiliary_cost(self.auxiliary_fraction, self.auxiliary_every)
        check_seeds(self.seed, self.seeds)
