"""Networks and tasks of classifier transfer, not trained (Sec. 5.2, Appendix B.7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import keras

from keras_compat import networks
from keras_compat.auxiliary import Auxiliary
from keras_compat.data import ImageDataset
from keras_compat.experiments.auxiliaries import make_augmentation, make_auxiliary, weighted_head
from keras_compat.experiments.classifier_transfer.settings import Settings
from keras_compat.training import Task


@dataclass
class Parts:
    """Extractors with one head, and the auxiliary heads that they learn with."""

    extractors: dict[str, keras.Model]
    head: keras.Model
    auxiliary_heads: dict[str, keras.Model] = field(default_factory=dict)

    def models(self) -> dict[str, keras.Model]:
        """Returns all models by their names."""
        found = [*self.extractors.values(), self.head, *self.auxiliary_heads.values()]
        return {model.name: model for model in found}


class Builder:
    """Builds the networks and the tasks of a run with one seed.

    Args:
        config: Settings of the run.
        dataset: Data set of all classes, the initial ones first; it sets shapes and augmentation.
        seed: Seed of weights, data order and augmentation.
    """

    def __init__(self, config: Settings, dataset: ImageDataset, seed: int):
        self.config = config
        self.dataset = dataset
        self.first_seed = 1000 * seed

    def initial(self, classes: int) -> tuple[Parts, list[Task]]:
        """Returns all extractors with one head for the initial classes."""
        head = self._head(classes, "head", 500)
        auxiliary_heads = self._auxiliary_heads(self.config.auxiliaries, "", 501)
        extractors = {
            name: self._extractor(name, i) for i, name in enumerate(self.config.extractors)
        }
        tasks = [
            self._task(name, extractor, head, auxiliary_heads, number)
            for number, (name, extractor) in enumerate(extractors.items())
        ]
        return Parts(extractors, head, auxiliary_heads), tasks

    def update(self, parts: Parts, maintain: str) -> tuple[Parts, list[Task]]:
        """Returns the parts with a head of all classes, which is to learn on the reference.

        Args:
            parts: Trained parts of the initial classes; they stay as they are.
            maintain: `"extractor"` freezes the reference extractor. `"rotation"` lets it learn,
                held in place by the frozen rotation head (B.7).

        Returns:
            The new head with all extractors, and the task; the reference extractor is a copy.
        """
        reference, classes = self.config.reference, len(self.dataset.class_names)
        seed = self.first_seed + 502
        head = networks.extend_classes(parts.head, classes, seed=seed, name="updated_head")
        extractor = networks.copy_model(parts.extractors[reference])
        held = {}
        if maintain == "extractor":
            extractor.trainable = False
        else:
            held["rotation"] = networks.copy_model(parts.auxiliary_heads["rotation"])
            held["rotation"].trainable = False
        task = self._task(reference, extractor, head, held, 503)
        return Parts({**parts.extractors, reference: extractor}, head), [task]

    def bounds(self, changed: bool) -> tuple[dict[str, Parts], list[Task]]:
        """Returns each network alone on all classes, with auxiliary heads of its own.

        Args:
            changed: Whether the networks have the 1x1 convolution and the head of the shared
                architecture, instead of being as they were published.
        """
        found = {}
        # Those of the paper learn rotation, also where the first stage learns nothing beside.
        kinds = self.config.auxiliaries or ("rotation",)
        classes = len(self.dataset.class_names)
        for number, name in enumerate(self.config.extractors):
            extractor = self._extractor(name, 100 + number, interface=changed)
            own = None if changed else (self.config.extractors[name], extractor.output_shape[-1])
            head = self._head(classes, f"{name}_head", 600 + 2 * number, of=own)
            auxiliary_heads = self._auxiliary_heads(kinds, f"{name}_", 601 + 2 * number, own)
            found[name] = Parts({name: extractor}, head, auxiliary_heads)
        tasks = [
            self._task(name, parts.extractors[name], parts.head, parts.auxiliary_heads, 610 + i)
            for i, (name, parts) in enumerate(found.items())
        ]
        return found, tasks

    def _extractor(self, name: str, number: int, interface: bool = True) -> keras.Model:
        seed = self.first_seed + number
        return build_extractor(self.config, self.dataset, name, seed, interface)

    def _head(
        self,
        classes: int,
        name: str,
        number: int,
        dense: bool = False,
        of: tuple[str, int] | None = None,
    ) -> keras.Model:
        """Returns a head of an architecture and number of channels, by default the shared one."""
        seed = self.first_seed + number
        return build_head(self.config, self.dataset, classes, name, seed, dense, of)

    def _auxiliary_heads(
        self, kinds: Iterable[str], prefix: str, number: int, of: tuple[str, int] | None = None
    ) -> dict[str, keras.Model]:
        return {
            kind: self._head(
                auxiliary.outputs, f"{prefix}{kind}_head", number + 20 * i, auxiliary.dense, of
            )
            for i, (kind, auxiliary) in enumerate(self._made(kinds).items())
        }

    def _task(
        self,
        name: str,
        extractor: keras.Model,
        head: keras.Model,
        auxiliary_heads: Mapping[str, keras.Model],
        number: int,
    ) -> Task:
        made = self._made(auxiliary_heads, number)
        held = [weighted_head(self.config, n, made[n], h) for n, h in auxiliary_heads.items()]
        augmentation = make_augmentation(self.config, self.dataset, self.first_seed + number)
        return Task(name, extractor, head, held, augmentation=augmentation)

    def _made(self, kinds: Iterable[str], number: int = 0) -> dict[str, Auxiliary]:
        first_seed = self.first_seed + number
        return {
            kind: make_auxiliary(self.config, kind, self.dataset, first_seed + 20 * i)
            for i, kind in enumerate(kinds)
        }


def build_extractor(
    config: Settings, dataset: ImageDataset, name: str, seed: int, interface: bool = True
) -> keras.Model:
    """Builds one of a run's extractors, with or without the 1x1 convolution that all share."""
    return networks.build_extractor(
        config.extractors[name],
        dataset.image_shape,
        interface_channels=config.interface_channels or None if interface else None,
        seed=seed,
        name=f"{name}_extractor",
    )


def build_head(
    config: Settings,
    dataset: ImageDataset,
    classes: int,
    name: str,
    seed: int,
    dense: bool = False,
    of: tuple[str, int] | None = None,
) -> keras.Model:
    """Builds a head of a run's shared architecture, or `of` another one and its channels."""
    architecture, channels = of or (config.head, config.interface_channels)
    if not channels:
        own = networks.build_extractor(architecture, dataset.image_shape, interface_channels=None)
        channels = own.output_shape[-1]
    return networks.build_head(
        architecture, input_channels=channels, classes=classes, seed=seed, name=name, dense=dense
    )


def check(config: Settings, dataset: ImageDataset) -> None:
    """Builds the initial networks, so that faults are known before training.

    Raises:
        InputError: If an architecture or a split is unknown, an extractor does not fit the head, or
            an auxiliary task does not fit the images.
    """
    head = build_head(config, dataset, len(dataset.class_names), "head", 0)
    for name in config.extractors:
        networks.recombine(build_extractor(config, dataset, name, 0), head)
    for name in config.auxiliaries:
        make_auxiliary(config, name, dataset, 0)
