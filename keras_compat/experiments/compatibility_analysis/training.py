"""Trains the networks of one cell; every method is a set-up of the one trainer (Sec. 3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np

from keras_compat import networks
from keras_compat.auxiliary import (
    Auxiliary,
    CommonClasses,
    RotationPrediction,
)
from keras_compat.data import Examples, ImageDataset, StreamedExamples, stratified_split
from keras_compat.errors import InputError
from keras_compat.experiments.auxiliaries import make_augmentation, make_auxiliary, weighted_head
from keras_compat.experiments.compatibility_analysis.groups import Group
from keras_compat.experiments.compatibility_analysis.settings import Settings, apply_variant
from keras_compat.experiments.runner.work_item import Callbacks, no_callbacks
from keras_compat.experiments.training import train
from keras_compat.layers import Augmentation
from keras_compat.methods import Method, parse_method
from keras_compat.studies.cells import Cell
from keras_compat.studies.trained import Network, Trained
from keras_compat.training import AuxiliaryHead, Task, Trainer


def as_trained(
    config: Settings, cell: Cell, group: Group, networks: Mapping[str, Network]
) -> Trained:
    """Returns the networks of a cell as the measures of studies take them."""
    return Trained(
        cell,
        networks,
        group.datasets,
        config.restrict,
        config.evaluation_batch_size,
        config.aliases,
    )


def train_cell(
    config: Settings,
    cell: Cell,
    group: Group,
    last_good: Path,
    pretrained: Mapping[str, Network] | None = None,
    callbacks: Callbacks = no_callbacks,
) -> dict[str, Network]:
    """Builds and trains the networks of a cell, from `pretrained` ones if they are given.

    The cell's own settings win. `last_good` is the file for the weights before a loss that was not
    finite.

    Raises:
        NonFiniteLoss: when a loss becomes NaN or infinite.
    """
    how = apply_variant(config, cell.variant).training
    setup = make_setup(config, cell, group)
    if pretrained is not None:
        for name, network in setup.networks.items():
            _start_from(network, pretrained[name])
    stages = [list(setup.tasks)]
    if cell.first is not None:
        stages = [[cell.first], *([name] for name in setup.tasks if name != cell.first)]
    for number, names in enumerate(stages):
        if number:
            # What the first network learnt with is frozen for all others (Sec. 3.4).
            for held in setup.tasks[cell.first].auxiliaries:
                if held.head is not None:
                    held.head.trainable = False
        tasks = [setup.tasks[name] for name in names]
        trainer = Trainer(tasks, seed=1000 * cell.seed + 700 + number)
        data = {name: setup.data[name] for name in names}
        train(trainer, data, how, callbacks(how.rounds), last_good)
    return setup.networks


@dataclass(frozen=True)
class Setup:
    """Networks of a cell with their tasks and data, not trained yet.

    Attributes:
        networks: Networks by name.
        tasks: Each network's task, with its auxiliaries; then the tasks of pairs.
        data: Data of each task.
    """

    networks: dict[str, Network]
    tasks: dict[str, Task]
    data: dict[str, Examples | StreamedExamples]


def make_setup(config: Settings, cell: Cell, group: Group) -> Setup:
    """Builds the networks of a cell with their tasks and data; the cell's own settings win."""
    builder = _Builder(apply_variant(config, cell.variant), cell, group)
    built = builder.networks()
    heads = builder.auxiliary_heads(built)
    tasks = {
        name: builder.task(number, name, network, heads[number])
        for number, (name, network) in enumerate(built.items())
    }
    data = {name: builder.examples(name) for name in built}
    for kind in builder.method.paired:
        for number, name in enumerate(built):
            task = builder.paired_task(kind, number, built)
            tasks[task.name] = task
            data[task.name] = data[name]
    for name, network in built.items():
        learnt_with = {a.auxiliary.name: a.head for a in tasks[name].auxiliaries if a.head}
        built[name] = replace(network, auxiliary_heads=learnt_with)
    return Setup(built, tasks, data)


def pretrain(
    config: Settings,
    seed: int,
    group: Group,
    dataset: ImageDataset,
    last_good: Path,
    callbacks: Callbacks = no_callbacks,
) -> dict[str, Network]:
    """Trains a network for each of a group's by rotation alone, without labels (Appendix C).

    `config.pretraining` says how to train. The networks start from different weights. They have
    rotation heads.

    Raises:
        NonFiniteLoss: when a loss becomes NaN or infinite.
    """
    cell = Cell("upper_bound", seed)
    builder = _Builder(replace(config, training=config.pretraining), cell, group)
    built = builder.networks(classes=RotationPrediction.outputs, first_seed=900)
    tasks = [
        Task(
            name,
            network.extractor,
            None,
            [AuxiliaryHead(builder.auxiliary("rotation", i, 920 + i), network.head)],
            augmentation=make_augmentation(config, dataset, builder.seed_of(940 + i)),
        )
        for i, (name, network) in enumerate(built.items())
    ]
    trainer = Trainer(tasks, seed=builder.seed_of(960))
    data = dict.fromkeys(built, dataset.train)
    train(trainer, data, config.pretraining, callbacks(config.pretraining.rounds), last_good)
    return built


class _Builder:
    """Builds the networks, auxiliary heads and tasks of a cell, and finds their data."""

    def __init__(self, config: Settings, cell: Cell, group: Group):
        self.config = config
        self.cell = cell
        self.group = group
        self.method: Method = parse_method(cell.method)
        self.names = list(group.datasets)

    def seed_of(self, number: int) -> int:
        return 1000 * self.cell.seed + number

    # Networks --------------------------------------------------------------------------------

    def networks(self, classes: int | None = None, first_seed: int = 0) -> dict[str, Network]:
        built: dict[str, Network] = {}
        for number, (name, dataset) in enumerate(self.group.datasets.items()):
            same = self.method.identical_weights
            seed = self.seed_of(first_seed + (0 if same else number))
            extractor = self._extractor(number, seed, f"{name}_extractor")
            count = classes or len(dataset.class_names)
            head = self._head(number, extractor, count, seed, f"{name}_head")
            built[name] = Network(extractor, head)
        if self.method.identical_weights:
            _align_logits([network.head for network in built.values()], self.group.common)
        return built

    def _extractor(self, number: int, seed: int, name: str) -> keras.Model:
        shape = next(iter(self.group.datasets.values())).image_shape
        return networks.build_extractor(
            self._architecture(number),
            shape,
            self.cell.split,
            interface_channels=self.config.interface_channels or None,
            seed=seed,
            name=name,
            normalization=self.cell.normalization,
            features="unit_length" if self.cell.features == "unit_length" else "plain",
        )

    def _head(
        self,
        number: int,
        extractor: keras.Model,
        classes: int,
        seed: int,
        name: str,
        dense: bool = False,
    ) -> keras.Model:
        return networks.build_head(
            self._architecture(number),
            self.cell.split,
            input_channels=extractor.output_shape[-1],
            classes=classes,
            seed=seed,
            name=name,
            normalization=self.cell.normalization,
            dense=dense,
        )

    def _architecture(self, number: int) -> str:
        text = self.config.architecture(number)
        return text.partition("@")[0] if self.cell.split else text

    def check(self) -> None:
        """Raises an `InputError` for what cannot be built or put together."""
        built = self.networks()
        for one in built.values():
            for other in built.values():
                networks.check_interface(one.extractor, other.head)
        for kind in self.method.paired:
            if self.cell.first is not None:
                raise InputError(
                    f"method {self.cell.method!r} needs all networks at once; it cannot train "
                    "one after the other"
                )
            for number in range(len(self.names)):
                self.paired_task(kind, number, built)
        for kind in self.method.single:
            for number, network in enumerate(built.values()):
                _check_shown(self.auxiliary(kind, number, 0), network.extractor)

    # Auxiliary tasks -------------------------------------------------------------------------

    def auxiliary_heads(self, built: Mapping[str, Network]) -> list[list[AuxiliaryHead]]:
        """Returns each network's auxiliaries, with one head for all or one each."""
        found: list[list[AuxiliaryHead]] = [[] for _ in self.names]
        chosen = list(self.method.single)
        if self.cell.features == "unit_length_loss":
            chosen.append("unit_length")
        for place, kind in enumerate(chosen):
            shared: keras.Model | None = None
            for number, name in enumerate(self.names):
                auxiliary = self.auxiliary(kind, number, 200 + 20 * place + number)
                head = shared
                if head is None and auxiliary.uses_head:
                    owner = "shared" if self.method.shared else name
                    own = 0 if self.method.shared else number
                    head = self._head(
                        number,
                        built[name].extractor,
                        auxiliary.outputs,
                        self.seed_of(500 + 20 * place + own),
                        # Two underscores: no network's own head is named so.
                        f"{owner}__{kind}_head",
                        dense=auxiliary.dense,
                    )
                    shared = head if self.method.shared else None
                found[number].append(weighted_head(self.config, kind, auxiliary, head))
        return found

    def auxiliary(self, kind: str, number: int, seed_number: int) -> Auxiliary:
        """Returns an auxiliary task of a network by the network's number."""
        dataset = self.group.datasets[self.names[number]]
        if kind == "common_classes":
            classes = len(dataset.class_names)
            return CommonClasses(self._discriminated(), classes * (1 + self.cell.control))
        return make_auxiliary(self.config, kind, dataset, self.seed_of(seed_number))

    # Tasks and data --------------------------------------------------------------------------

    def task(
        self, number: int, name: str, network: Network, auxiliaries: list[AuxiliaryHead]
    ) -> Task:
        head = _with_every_class_twice(network.head) if self.cell.control else network.head
        augmentation = self.augmentation(name, 100 + number)
        return Task(name, network.extractor, head, auxiliaries, augmentation=augmentation)

    def paired_task(self, kind: str, number: int, built: Mapping[str, Network]) -> Task:
        """Returns the task of an extractor and the next one side by side, on its own images."""
        names = list(built)
        name, following = names[number], names[(number + 1) % len(names)]
        extractors = (built[name].extractor, built[following].extractor)
        auxiliary = self.auxiliary(kind, number, 220 + number)
        # Two underscores: no network's own task is named so.
        return Task(
            f"{name}__{auxiliary.name}",
            networks.side_by_side(*extractors, name=f"{name}__{auxiliary.name}_extractors"),
            None,
            [AuxiliaryHead(auxiliary, loss_weight=self.config.weight(kind))],
            augmentation=self.augmentation(name, 120 + number),
        )

    def augmentation(self, name: str, number: int) -> Augmentation | None:
        return make_augmentation(self.config, self.group.datasets[name], self.seed_of(number))

    def examples(self, name: str) -> Examples | StreamedExamples:
        """Returns what a network is trained on.

        In the control of B.4, images that are to take no part in discriminating the common
        classes have the labels of the second half, see `_with_every_class_twice`.
        """
        dataset = self.group.datasets[name]
        if not self.cell.control:
            return dataset.train
        labels = dataset.train.labels
        share = self.cell.common_classes / self.group.common
        seed = self.seed_of(800 + self.names.index(name))
        (taking_part,) = stratified_split(labels, [share], seed)
        left_out = np.ones(len(labels), bool)
        left_out[taking_part] = False
        return dataset.train.relabelled(labels + left_out * len(dataset.class_names))

    def _discriminated(self) -> list[int]:
        """Returns the classes that the head of common classes tells apart.

        Fewer than all are drawn by the seed, each smaller set a part of the larger ones (B.4).
        """
        if self.cell.common_classes is None or self.cell.control:
            return list(range(self.group.common))
        order = np.random.default_rng(self.seed_of(790)).permutation(self.group.common)
        return sorted(order[: self.cell.common_classes].tolist())


def _check_shown(auxiliary: Auxiliary, extractor: keras.Model) -> None:
    """Raises an `InputError` if a task would show an extractor images of another size."""
    shape = extractor.input_shape[1:]
    shown, _ = auxiliary.transform(
        np.zeros((2, *shape), "float32"), np.zeros(2, "int32"), training=False
    )
    if tuple(shown.shape[1:]) != tuple(shape):
        raise InputError(
            f"the auxiliary task {auxiliary.name!r} makes images of {tuple(shown.shape[1:])} of "
            f"those of {tuple(shape)}; choose an even --image_size"
        )


def _align_logits(heads: list[keras.Model], common: int) -> None:
    """Gives all heads the first one's initial weights of the common classes.

    Everything else is identical by the seed; but a layer draws its weights by its shape, and the
    number of classes may differ.
    """
    first = heads[0].get_layer("logits").get_weights()
    for head in heads[1:]:
        layer = head.get_layer("logits")
        weights = layer.get_weights()
        for own, other in zip(weights, first, strict=True):
            own[..., :common] = other[..., :common]
        layer.set_weights(weights)


def _with_every_class_twice(head: keras.Model) -> keras.Model:
    """Returns a head whose outputs k and k + n are both the logit of class k.

    Labels can then carry one more bit, whether an image takes part in an auxiliary task, while
    the gradient of the cross-entropy stays what it is: both outputs share one logit, and the loss
    is larger by log 2.
    """
    logits = head.output
    twice = keras.layers.Concatenate(name="every_class_twice")([logits, logits])
    return keras.Model(head.input, twice, name=f"{head.name}_twice")


def _start_from(network: Network, pretrained: Network) -> None:
    """Gives a network the weights of a pre-trained one, but for the layer of its classes."""
    networks.copy_weights(pretrained.extractor, network.extractor)
    for layer in network.head.layers:
        if layer.name != "logits":
            layer.set_weights(pretrained.head.get_layer(layer.name).get_weights())


def check_cells(config: Settings, cells: list[Cell], groups: Mapping[bool, Group]) -> None:
    """Builds what cells need, so that what cannot work is known before any training.

    Raises:
        InputError: if an architecture or a split is unknown, extractors and heads do not fit
            each other, IIW is asked of different architectures, or an auxiliary task makes no
            sense on the data.
    """
    checked = set()
    for cell in cells:
        method = parse_method(cell.method)
        kind = (method, cell.first, cell.same_data, cell.split, cell.normalization, cell.features)
        if kind in checked:
            continue
        checked.add(kind)
        if method.identical_weights and len(set(config.architectures)) > 1:
            raise InputError(
                f"method {cell.method!r} starts from identical weights, but the architectures are "
                f"{', '.join(config.architectures)}; leave out iiw, or give one architecture"
            )
        _Builder(config, cell, groups[cell.same_data]).check()
