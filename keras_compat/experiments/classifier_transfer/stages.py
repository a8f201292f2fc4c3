"""The training stages of classifier transfer, each a set-up of the one trainer (Sec. 5.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras

from keras_compat import networks
from keras_compat.auxiliary import RotationPrediction
from keras_compat.data import Examples, ImageDataset
from keras_compat.experiments.classifier_transfer.settings import Config
from keras_compat.experiments.training import Training, train
from keras_compat.layers import Augmentation
from keras_compat.training import AuxiliaryHead, Task, Trainer

ROTATIONS = RotationPrediction.outputs


@dataclass
class Parts:
    """What the first stage leaves: an extractor each, one head, and the rotation head."""

    extractors: dict[str, keras.Model]
    head: keras.Model
    rotation_head: keras.Model | None


class Stages:
    """Builds and trains what a run with one seed needs.

    Args:
        config: the run's settings.
        dataset: of all classes, the initial ones first; sets shapes and augmentation.
        seed: of weights, data order and augmentation.
        last_good: the folder for the weights of a stage whose loss became NaN.
        callbacks: a function from a stage's name to Keras callbacks for it.
    """

    def __init__(
        self,
        config: Config,
        dataset: ImageDataset,
        seed: int,
        last_good: Path,
        callbacks: Callable[[str], list[keras.callbacks.Callback]] = lambda stage: [],
    ):
        self.config = config
        self.dataset = dataset
        self.seed = seed
        self.last_good = last_good
        self.callbacks = callbacks

    # The three kinds of network ---------------------------------------------------------------

    def _extractor(self, name: str, number: int, interface: bool = True) -> keras.Model:
        return build_extractor(
            self.config, self.dataset, name, 1000 * self.seed + number, interface
        )

    def _head(self, classes: int, name: str, number: int) -> keras.Model:
        return build_head(self.config, self.dataset, classes, name, 1000 * self.seed + number)

    def _augmentation(self, number: int) -> Augmentation | None:
        if not self.config.augment:
            return None
        return Augmentation.for_dataset(self.dataset, seed=1000 * self.seed + number)

    # The stages ------------------------------------------------------------------------------

    def train_initial(self, examples: Examples, classes: int) -> Parts:
        """Trains all extractors jointly with one head on the initial classes."""
        head = self._head(classes, "head", 500)
        rotation_head = (
            self._head(ROTATIONS, "rotation_head", 501) if self.config.rotation else None
        )
        extractors = {
            name: self._extractor(name, i) for i, name in enumerate(self.config.extractors)
        }
        tasks = [
            Task(
                name,
                extractor,
                head,
                self._rotation(rotation_head, i),
                augmentation=self._augmentation(i),
            )
            for i, (name, extractor) in enumerate(extractors.items())
        ]
        self._fit("initial", tasks, dict.fromkeys(extractors, examples), self.config.joint)
        return Parts(extractors, head, rotation_head)

    def update_head(self, parts: Parts, examples: Examples, classes: int, maintain: str) -> Parts:
        """Extends the head to all classes and trains it on the reference extractor alone.

        Args:
            parts: what the first stage left; not changed.
            examples: of all classes.
            classes: how many there are.
            maintain: `"extractor"` freezes the reference extractor; `"rotation"` lets it learn,
                held in place by the frozen rotation head (B.7).

        Returns:
            The new head with all extractors; that of the reference is new in the second variant.
        """
        reference = self.config.reference
        head = networks.extend_classes(
            parts.head, classes, seed=1000 * self.seed + 502, name="updated_head"
        )
        extractor = networks.copy_model(parts.extractors[reference])
        auxiliaries: Sequence[AuxiliaryHead] = ()
        if maintain == "extractor":
            extractor.trainable = False
        else:
            rotation_head = networks.copy_model(parts.rotation_head)
            rotation_head.trainable = False
            auxiliaries = self._rotation(rotation_head, 503)
        task = Task(reference, extractor, head, auxiliaries, augmentation=self._augmentation(503))
        self._fit(f"update_{maintain}", [task], {reference: examples}, self.config.update)
        return Parts({**parts.extractors, reference: extractor}, head, parts.rotation_head)

    def train_bound(self, examples: Examples, classes: int, changed: bool) -> dict[str, Parts]:
        """Trains each network alone on all classes, with a rotation head of its own.

        Args:
            examples: of all classes.
            classes: how many there are.
            changed: with the 1x1 convolution and the head of the shared architecture, instead of
                the network as it was published.
        """
        found = {}
        for number, name in enumerate(self.config.extractors):
            extractor = self._extractor(name, 100 + number, interface=changed)
            outputs = (("head", classes), ("rotation_head", ROTATIONS))
            if changed:
                heads = [
                    self._head(n, f"{name}_{what}", 600 + 2 * number + i)
                    for i, (what, n) in enumerate(outputs)
                ]
            else:
                heads = [
                    networks.build_head(
                        self.config.extractors[name],
                        input_channels=extractor.output_shape[-1],
                        classes=n,
                        seed=1000 * self.seed + 600 + 2 * number + i,
                        name=f"{name}_{what}",
                    )
                    for i, (what, n) in enumerate(outputs)
                ]
            found[name] = Parts({name: extractor}, heads[0], heads[1])
        tasks = [
            Task(
                name,
                parts.extractors[name],
                parts.head,
                self._rotation(parts.rotation_head, 610 + i),
                augmentation=self._augmentation(610 + i),
            )
            for i, (name, parts) in enumerate(found.items())
        ]
        # Tasks without a shared head do not influence each other: one program trains them all.
        stage = f"bound_{'changed' if changed else 'original'}"
        self._fit(stage, tasks, dict.fromkeys(found, examples), self.config.bound)
        return found

    def _rotation(self, head: keras.Model | None, number: int) -> list[AuxiliaryHead]:
        if head is None:
            return []
        auxiliary = RotationPrediction(seed=1000 * self.seed + number)
        config = self.config
        return [
            AuxiliaryHead(
                auxiliary,
                head,
                fraction=config.auxiliary_fraction,
                every=config.auxiliary_every,
            )
        ]

    def _fit(self, stage: str, tasks: list[Task], data: dict[str, Examples], how: Training) -> None:
        trainer = Trainer(tasks, seed=1000 * self.seed, name=stage)
        last_good = self.last_good / f"{stage}.keras"
        profiles = self.last_good.parent / "profile" / stage
        train(trainer, data, how, self.callbacks(stage), last_good, profiles=profiles)


def build_extractor(
    config: Config, dataset: ImageDataset, name: str, seed: int, interface: bool = True
) -> keras.Model:
    """Builds one of a configuration's extractors, with the shared interface or without."""
    return networks.build_extractor(
        config.extractors[name],
        dataset.image_shape,
        interface_channels=config.interface_channels or None if interface else None,
        seed=seed,
        name=f"{name}_extractor",
    )


def build_head(
    config: Config, dataset: ImageDataset, classes: int, name: str, seed: int
) -> keras.Model:
    """Builds a head of a configuration's shared architecture."""
    channels = config.interface_channels
    if not channels:
        own = networks.build_extractor(config.head, dataset.image_shape, interface_channels=None)
        channels = own.output_shape[-1]
    return networks.build_head(
        config.head, input_channels=channels, classes=classes, seed=seed, name=name
    )


def check(config: Config, dataset: ImageDataset) -> None:
    """Builds the first stage's networks, so that what cannot fit is known before training.

    Raises:
        InputError: on an unknown architecture or split, or an extractor that the head does not
            fit.
    """
    head = build_head(config, dataset, len(dataset.class_names), "head", 0)
    for name in config.extractors:
        networks.recombine(build_extractor(config, dataset, name, 0), head)
