"""What each step does and measures, in whatever process."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any
from zlib import crc32

import keras
import numpy as np

from keras_compat import evaluation
from keras_compat.data import Examples, ImageDataset, StreamedExamples, stratified_split
from keras_compat.jobs.step_folder import NETWORKS, StepFolder
from keras_compat.jobs.steps import Callbacks, Done, do_step, done_before, no_callbacks
from keras_compat.jobs.stored_network import load_network
from keras_compat.jobs.transfer_learning.config import (
    IDENTICAL_WEIGHTS,
    REINITIALIZED,
    Config,
)
from keras_compat.jobs.transfer_learning.data import load_all, load_rotation_data
from keras_compat.jobs.transfer_learning.steps import NETWORK, ROTATION, TRANSFER, Step
from keras_compat.jobs.transfer_learning.training import (
    ROTATION_HEAD,
    fine_tune,
    make_head,
    steps_an_epoch,
    train_network,
)
from keras_compat.reporting.records import Record, make_record


def work_on(config: Config, place: Path, step: Step, callbacks: Callbacks = no_callbacks) -> None:
    """Does a step, unless it is done.

    Args:
        config: of the run.
        place: the folder of all steps.
        step: what to do.
        callbacks: for its training.
    """
    do = partial(_DO[step.kind], config, step, place, callbacks)
    do_step(step, place, do, config.lasting(), partial(fingerprints, config, step))


def fingerprints(config: Config, step: Step) -> Mapping[str, Any]:
    """Returns what identifies the images that a step learns from."""
    if step.kind == ROTATION:
        return {"rotation_data": load_rotation_data(config).fingerprint()}
    name = step.source if step.kind == NETWORK else step.target
    return {name: load_all(config)[name].fingerprint()}


def _rotation(config: Config, step: Step, place: Path, callbacks: Callbacks) -> Done:
    last_good = StepFolder(place / step.name).last_good
    dataset = load_rotation_data(config)
    weights = _weights_seed(step.seed)
    network = train_network(config, step.seed, dataset, weights, None, last_good, callbacks)
    return Done(network.models(), about={"network": network.about()})


def _network(config: Config, step: Step, place: Path, callbacks: Callbacks) -> Done:
    last_good = StepFolder(place / step.name).last_good
    frozen = None
    if step.starts_from:
        frozen = done_before(place, *step.starts_from).load_model(ROTATION_HEAD)
    dataset = load_all(config)[step.source]
    weights = _weights_seed(step.seed, "" if step.method == IDENTICAL_WEIGHTS else step.source)
    network = train_network(config, step.seed, dataset, weights, frozen, last_good, callbacks)
    value = _accuracy(config, network.extractor, network.head, dataset.test)
    keys = {"network": step.source, "method": step.method, "seed": step.seed}
    record = make_record("own_accuracy", value, **keys)
    return Done(network.models(), [record], {"network": network.about()})


def _transfer(config: Config, step: Step, place: Path, callbacks: Callbacks) -> Done:
    source, target = (load_network(done_before(place, n).path / NETWORKS) for n in step.starts_from)
    dataset = load_all(config)[step.target]
    extractor, head = source.extractor, target.head
    if step.method == REINITIALIZED:
        classes = len(dataset.class_names)
        head = make_head(config, extractor, classes, 1000 * step.seed + 800, "head")
    records: list[Record] = []
    keys = {
        "source": step.source,
        "target": step.target,
        "method": step.method,
        "seed": step.seed,
    }

    def measure(steps: int) -> None:
        value = _accuracy(config, extractor, head, dataset.test)
        records.append(make_record("accuracy", value, **keys, steps=steps))

    start = time.perf_counter()
    images = _ranking_images(config, step.seed, dataset)
    before = _accuracy(config, extractor, head, images)
    spent = time.perf_counter() - start
    records += [
        make_record("ranking_accuracy", before, **keys),
        make_record("ranking_seconds", spent, **keys),
        make_record("ranking_images", len(images), **keys),
    ]
    measure(0)
    start = time.perf_counter()
    last_good = StepFolder(place / step.name).last_good
    fine_tune(config, step.seed, extractor, head, dataset, last_good, measure)
    epoch = steps_an_epoch(config, len(dataset.train))
    records += [
        make_record("fine_tuning_seconds", time.perf_counter() - start, **keys),
        make_record("steps_an_epoch", epoch, **keys),
        make_record("chance", 1 / len(dataset.class_names), **keys),
    ]
    return Done({"extractor": extractor, "head": head}, records, {})


_DO = {ROTATION: _rotation, NETWORK: _network, TRANSFER: _transfer}


def _weights_seed(seed: int, name: str = "") -> int:
    """Returns the seed of initial weights: of a network by its name, or that of all alike (IIW).

    The network that the rotation head is trained in starts as these do.
    """
    return 1000 * seed + (crc32(name.encode()) % 10**9 if name else 0)


def _ranking_images(
    config: Config, seed: int, dataset: ImageDataset
) -> Examples | StreamedExamples:
    """Returns some of the target's training images, of all classes."""
    count = min(config.ranking_images, len(dataset.train))
    (chosen,) = stratified_split(dataset.train.labels, [count], 1000 * seed + 801)
    return dataset.train.subset(np.asarray(chosen))


def _accuracy(
    config: Config,
    extractor: keras.Model,
    head: keras.Model,
    examples: Examples | StreamedExamples,
) -> float:
    """Returns average class accuracy, as the paper reports it."""
    logits, labels = evaluation.predict_logits(
        extractor, head, examples, config.evaluation_batch_size
    )
    return evaluation.accuracy(logits, labels, class_average=True)
