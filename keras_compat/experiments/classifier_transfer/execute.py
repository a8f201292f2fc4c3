"""Work of each item of classifier transfer: trains, evaluates, and returns what to keep."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_compat import deployment, evaluation
from keras_compat.data import Examples, StreamedExamples
from keras_compat.deployment.optional_dependencies import installed
from keras_compat.experiments.classifier_transfer.build import Builder, Parts
from keras_compat.experiments.classifier_transfer.items import BOUND, INITIAL, UPDATE, Item
from keras_compat.experiments.classifier_transfer.preparation import Prepared, load_prepared
from keras_compat.experiments.classifier_transfer.settings import Settings
from keras_compat.experiments.loading import read
from keras_compat.experiments.runner.item_folder import ItemFolder
from keras_compat.experiments.runner.work_item import Callbacks, Done, Execution, done_before
from keras_compat.experiments.settings import TrainingSettings
from keras_compat.experiments.training import train
from keras_compat.reporting.records import Record, make_record
from keras_compat.training import Task, Trainer

LOGS = "logs"
VARIANTS = {"extractor": "frozen_extractor", "rotation": "frozen_rotation"}
EVALUATION_BATCH = 500


def fingerprints(config: Settings, item: Item) -> dict[str, Any]:
    """Returns the fingerprint of all images, by the name of their data set."""
    dataset = load_prepared(config, item.seed).dataset
    return {dataset.name: dataset.fingerprint()}


def packages_missing_for_logs() -> list[str]:
    """Returns the packages that TensorBoard's logs need and that are not installed."""
    return [package for package in ("tensorflow", "tensorboard") if not installed(package)]


def _initial(config: Settings, item: Item, place: Path, callbacks: Callbacks) -> Done:
    """Trains all extractors jointly with one head on the initial classes."""
    prepared = load_prepared(config, item.seed)
    parts, tasks = Builder(config, prepared.dataset, item.seed).initial(prepared.initial)
    examples = prepared.of_initial_classes(prepared.train)
    _train(item, place, tasks, examples, config.joint, callbacks)
    test = prepared.test
    records = [
        _record(item, prepared, "chance", 1 / prepared.classes),
        _record(item, prepared, "lower_bound", float(np.mean(test.labels < prepared.initial))),
    ]
    known = prepared.of_initial_classes(test)
    for name, extractor in parts.extractors.items():
        value = _accuracy(extractor, parts.head, known)
        keys = {"extractor": name, "head": "shared", "stage": "initial", "subset": "old"}
        records.append(_record(item, prepared, "accuracy", value, **keys))
    return Done(parts.models(), records)


def initial_parts(config: Settings, folder: ItemFolder) -> Parts:
    """Loads the networks of the initial classes from the folder of their item."""
    extractors = {name: folder.load_model(f"{name}_extractor") for name in config.extractors}
    auxiliary_heads = {name: folder.load_model(f"{name}_head") for name in config.auxiliaries}
    return Parts(extractors, folder.load_model("head"), auxiliary_heads)


def _update(config: Settings, item: Item, place: Path, callbacks: Callbacks) -> Done:
    """Extends the head to all classes and trains it on the reference extractor alone."""
    prepared = load_prepared(config, item.seed)
    before = initial_parts(config, done_before(place, *item.starts_from))
    parts, tasks = Builder(config, prepared.dataset, item.seed).update(before, item.which)
    _train(item, place, tasks, prepared.train, config.update, callbacks)
    reference, variant = config.reference, VARIANTS[item.which]
    keys = {"head": reference, "stage": "updated", "variant": variant, "runtime": "keras"}
    records = []
    for name, extractor in parts.extractors.items():
        of_pair = {"extractor": name, **keys, "statistics": "batch"}
        records += _updated(item, prepared, extractor, parts.head, of_pair)
    images, _ = read(prepared.recalibration)
    for name, extractor in parts.extractors.items():
        pair = deployment.recalibrate(extractor, parts.head, images)
        value = _accuracy(*pair, prepared.test, "moving")
        of_pair = {"extractor": name, **keys, "statistics": "moving", "subset": "all"}
        records.append(_record(item, prepared, "accuracy", value, **of_pair))
    models = {f"head_updated_{variant}": parts.head}
    if item.which == "rotation":
        models[f"{reference}_extractor_updated"] = parts.extractors[reference]
    return Done(models, records)


def updated_parts(config: Settings, item: Item, place: Path) -> Parts:
    """Loads all extractors with an updated head; with B.7 the reference extractor is updated."""
    parts = initial_parts(config, done_before(place, *item.starts_from))
    folder = ItemFolder(place / item.name)
    if item.which == "rotation":
        updated = folder.load_model(f"{config.reference}_extractor_updated")
        parts.extractors[config.reference] = updated
    return Parts(parts.extractors, folder.load_model(f"head_updated_{VARIANTS[item.which]}"))


def _updated(
    item: Item,
    prepared: Prepared,
    extractor: keras.Model,
    head: keras.Model,
    keys: Mapping[str, Any],
) -> list[Record]:
    """Returns the accuracies of an extractor with the updated head, on all, old and new classes."""
    logits, labels = evaluation.predict_logits(extractor, head, prepared.test, EVALUATION_BATCH)
    metric = "reference_accuracy" if keys["extractor"] == keys["head"] else "recombination_accuracy"
    value = evaluation.accuracy(logits, labels)
    records = [_record(item, prepared, metric, value, **keys, subset="all")]
    subsets = {
        "all": range(prepared.classes),
        "old": range(prepared.initial),
        "new": range(prepared.initial, prepared.classes),
    }
    for subset, classes in subsets.items():
        value = evaluation.accuracy(logits, labels, classes=list(classes))
        records.append(_record(item, prepared, "accuracy", value, **keys, subset=subset))
    return records


def _bound(config: Settings, item: Item, place: Path, callbacks: Callbacks) -> Done:
    """Trains each network alone on all classes."""
    prepared = load_prepared(config, item.seed)
    builder = Builder(config, prepared.dataset, item.seed)
    networks, tasks = builder.bounds(item.which == "changed")
    # Tasks without a shared head do not influence each other: one program trains them all.
    _train(item, place, tasks, prepared.train, config.bound, callbacks)
    records = []
    for name, parts in networks.items():
        value = _accuracy(parts.extractors[name], parts.head, prepared.test)
        keys = {"extractor": name, "head": name, "architecture": item.which}
        records.append(_record(item, prepared, "upper_bound", value, **keys))
    models = {n: model for parts in networks.values() for n, model in parts.models().items()}
    return Done(models, records)


def _train(
    item: Item,
    place: Path,
    tasks: list[Task],
    examples: Examples | StreamedExamples,
    how: TrainingSettings,
    callbacks: Callbacks,
) -> None:
    trainer = Trainer(tasks, seed=1000 * item.seed, name=item.stage)
    found = callbacks(how.rounds)
    if not packages_missing_for_logs():
        folder = place.parent / LOGS / f"seed{item.seed}" / item.stage
        found = [*found, _Logs(folder, write_graph=False, update_freq=10)]
    last_good = ItemFolder(place / item.name).last_good
    train(trainer, dict.fromkeys(trainer.tasks, examples), how, found, last_good)


class _Logs(keras.callbacks.TensorBoard):
    """Keras' logs, which go on at the trainer's round."""

    def on_train_begin(self, logs: Any = None) -> None:
        super().on_train_begin(logs)
        # Keras counts from 0 at every `fit`, and has no public way to say otherwise.
        self._global_train_batch = self.model.rounds


def _record(item: Item, prepared: Prepared, metric: str, value: float, **keys: Any) -> Record:
    return make_record(metric, value, dataset=prepared.dataset.name, **keys, seed=item.seed)


def _accuracy(
    extractor: keras.Model,
    head: keras.Model,
    examples: Examples | StreamedExamples,
    statistics: str = "batch",
) -> float:
    found = evaluation.predict_logits(extractor, head, examples, EVALUATION_BATCH, statistics)
    return evaluation.accuracy(*found)


_KINDS = {INITIAL: _initial, UPDATE: _update, BOUND: _bound}
EXECUTION = Execution(_KINDS, Settings.of_item, fingerprints)
