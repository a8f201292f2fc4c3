"""Work of each item: trains, measures, and returns what to keep."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from zlib import crc32

import keras
import numpy as np

from keras_compat import evaluation
from keras_compat.data import Examples, ImageDataset, StreamedExamples, stratified_split
from keras_compat.experiments.network_building import build_head
from keras_compat.experiments.runner.item_folder import NETWORKS, ItemFolder, check_records
from keras_compat.experiments.runner.work_item import Callbacks, Done, Execution, done_before
from keras_compat.experiments.stored_network import StoredNetwork, load_network
from keras_compat.experiments.training import train
from keras_compat.experiments.transfer_learning.build import (
    build_fine_tuning,
    build_network,
    steps_an_epoch,
    stops,
)
from keras_compat.experiments.transfer_learning.data import load_all, load_rotation_data
from keras_compat.experiments.transfer_learning.items import (
    NETWORK,
    RANKING,
    ROTATION,
    TRANSFER,
    Item,
)
from keras_compat.experiments.transfer_learning.methods import METHODS, trained_as
from keras_compat.experiments.transfer_learning.settings import Settings
from keras_compat.reporting.records import Record, make_record
from keras_compat.training import Trainer


def fingerprints(config: Settings, item: Item) -> Mapping[str, Any]:
    """Returns what identifies all images that an item depends on, by name."""
    datasets = load_all(config)
    found = {n: datasets[n].fingerprint() for n in (item.source, item.target) if n}
    if item.kind == ROTATION or METHODS[trained_as(item.method)].needs_rotation_network:
        found["rotation_data"] = load_rotation_data(config).fingerprint()
    return found


def _rotation(config: Settings, item: Item, place: Path, callbacks: Callbacks) -> Done:
    dataset = load_rotation_data(config)
    start = _weights_seed(item.seed)
    network, trainer = build_network(config, item.seed, dataset, start, None)
    _train(config, trainer, dataset, place / item.name, callbacks)
    return Done(network.models(), about={"network": network.about()})


def _network(config: Settings, item: Item, place: Path, callbacks: Callbacks) -> Done:
    how, frozen, pretrained = METHODS[item.method], None, None
    if how.frozen:
        start = done_before(place, *item.starts_from).path / NETWORKS
        frozen = load_network(start).auxiliary_heads
    if how.pretrained:
        pretrained = done_before(place, *item.starts_from).load_model("extractor")
    dataset = load_all(config)[item.source]
    weights = _weights_seed(item.seed, "" if how.alike else item.source)
    network, trainer = build_network(config, item.seed, dataset, weights, frozen, pretrained)
    _train(config, trainer, dataset, place / item.name, callbacks)
    value = _accuracy(config, network.extractor, network.head, dataset.test)
    keys = {"network": item.source, "method": item.method, "seed": item.seed}
    record = make_record("own_accuracy", value, **keys)
    return Done(network.models(), [record], {"network": network.about()})


def _train(
    config: Settings, trainer: Trainer, dataset: ImageDataset, folder: Path, callbacks: Callbacks
) -> None:
    how, data = config.training, dict.fromkeys(trainer.tasks, dataset.train)
    train(trainer, data, how, callbacks(how.rounds), ItemFolder(folder).last_good)


def _ranking(config: Settings, item: Item, place: Path, callbacks: Callbacks) -> Done:
    """Tells how the target's head does on the source's extractor, on images of the target."""
    dataset = load_all(config)[item.target]
    extractor, head = _recombined(config, item, place)
    start = time.perf_counter()
    images = _ranking_images(config, item.seed, dataset)
    value = _accuracy(config, extractor, head, images)
    seconds = time.perf_counter() - start
    records = [
        _record(item, "ranking_accuracy", value),
        _record(item, "ranking_seconds", seconds),
        _record(item, "ranking_images", len(images)),
    ]
    return Done({}, records)


def _transfer(config: Settings, item: Item, place: Path, callbacks: Callbacks) -> Done:
    dataset = load_all(config)[item.target]
    extractor, head = _recombined(config, item, place)
    tested = _Tested(
        lambda steps: _record(
            item, "accuracy", _accuracy(config, extractor, head, dataset.test), steps=steps
        )
    )
    tested.test(0)
    tested.begin()
    trainer, how = build_fine_tuning(config, item.seed, extractor, head, dataset)
    data, places = dict.fromkeys(trainer.tasks, dataset.train), stops(config, len(dataset.train))
    last_good = ItemFolder(place / item.name).last_good
    train(trainer, data, how, (), last_good, places, tested.test, tested)
    seconds = tested.seconds()
    records = [
        *tested.records,
        _record(item, "fine_tuning_seconds", seconds),
        _record(item, "fine_tuning_images", how.rounds * config.training.batch_size),
        _record(item, "steps_an_epoch", steps_an_epoch(config, len(dataset.train))),
        _record(item, "chance", 1 / len(dataset.class_names)),
    ]
    network = StoredNetwork(extractor, head, {}, dataset.class_names, dataset.flippable)
    return Done(network.models(), records, {"network": network.about()})


class _Tested:
    """Measures during fine-tuning, and the time that fine-tuning itself takes."""

    def __init__(self, make: Callable[[int], Record]):
        self.records: list[Record] = []
        self._make = make
        self.begin()

    def begin(self, earlier_s: float = 0.0) -> None:
        """Counts time from now on."""
        self._start = time.perf_counter() - earlier_s

    def seconds(self) -> float:
        """Returns the time since `begin`, without that of testing."""
        return time.perf_counter() - self._start

    def test(self, steps: int) -> None:
        begin = time.perf_counter()
        self.records.append(self._make(steps))
        self._start += time.perf_counter() - begin

    def state(self) -> tuple[Any, Mapping[str, np.ndarray]]:
        return {"records": self.records, "seconds": self.seconds()}, {}

    def restore(self, state: Any, arrays: Mapping[str, np.ndarray]) -> None:
        seconds = float(state["seconds"])
        self.records = list(check_records(state["records"], "records"))
        self.begin(seconds)


def _recombined(config: Settings, item: Item, place: Path) -> tuple[keras.Model, keras.Model]:
    """Returns the extractor of the source with the head of the target, or with a new one."""
    source, target = (load_network(done_before(place, n).path / NETWORKS) for n in item.starts_from)
    if not METHODS[item.method].new_head:
        return source.extractor, target.head
    classes = len(target.class_names)
    seed = 1000 * item.seed + 800
    return source.extractor, build_head(config, source.extractor, seed, classes)


def _record(item: Item, metric: str, value: float, **keys: Any) -> Record:
    of_item = {"source": item.source, "target": item.target, "method": item.method}
    return make_record(metric, value, **of_item, seed=item.seed, **keys)


def _weights_seed(seed: int, name: str = "") -> int:
    """Returns the seed of initial weights: of a network by its name, or that of all alike (IIW).

    The network that the rotation head is trained in starts as these do.
    """
    return 1000 * seed + (crc32(name.encode()) % 10**9 if name else 0)


def _ranking_images(
    config: Settings, seed: int, dataset: ImageDataset
) -> Examples | StreamedExamples:
    """Returns some of the target's training images, of all classes."""
    count = min(config.ranking_images, len(dataset.train))
    (chosen,) = stratified_split(dataset.train.labels, [count], 1000 * seed + 801)
    return dataset.train.subset(np.asarray(chosen))


def _accuracy(
    config: Settings,
    extractor: keras.Model,
    head: keras.Model,
    examples: Examples | StreamedExamples,
) -> float:
    """Returns average class accuracy, as the paper reports it."""
    return evaluation.recombination_accuracy(
        extractor, head, examples, batch_size=config.evaluation_batch_size, class_average=True
    )


_KINDS = {ROTATION: _rotation, NETWORK: _network, RANKING: _ranking, TRANSFER: _transfer}
EXECUTION = Execution(_KINDS, Settings.of_item, fingerprints)
