"""Training of a stored head on new classes with one stored extractor (Sec. 5.2)."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_compat import data, evaluation, networks
from keras_compat.data import ImageDataset
from keras_compat.data.options import LoadOptions
from keras_compat.errors import InputError
from keras_compat.experiments.components.keeping import Unpublished, check_publishable
from keras_compat.experiments.components.operations import described, fitting, load_parts
from keras_compat.experiments.runner.terminal import RoundsBar
from keras_compat.experiments.settings import TrainingSettings
from keras_compat.experiments.training import train
from keras_compat.layers import Augmentation, set_statistics
from keras_compat.store import Component, Reference, Store
from keras_compat.store.manifest import DataRecord
from keras_compat.store.recombining import joint_licence, origin, parent_record
from keras_compat.training import Task, Trainer, is_chief

# As many as signals without labels are measured on.
_IMAGES_FOR_STATISTICS = 500
_BATCH = 500


class Retrained(NamedTuple):
    """Names of a head's old and new classes, and its accuracy with the extractor of training."""

    class_names: tuple[str, ...]
    accuracy: float


def retrain(
    store: Store,
    extractor: Reference,
    head: Reference,
    new: Reference,
    spec: str,
    how: TrainingSettings,
    seed: int,
    options: LoadOptions,
) -> Retrained:
    """Extends a head to the classes of a data set, trains it, and publishes it.

    The extractor is frozen, so that the head still fits every extractor that is compatible with
    this one. The new head belongs to the families of the extractor. The data set needs images of
    all classes, old and new.

    Raises:
        InputError: if the parts do not fit, images of a class are missing, or the head could not
            be published; before any training. A failure after training leaves the head on disk and
            names the place, see `Unpublished`.
        NonFiniteLoss: if the loss becomes NaN or infinite; nothing is published then.

    Source: Gygli et al. 2021, Sec. 5.2.
    """
    reference, old = load_parts(store, extractor, head)
    networks.check_interface(reference.extractor, old.head)
    store.check_free(new)
    if seed < 0:
        raise InputError(f"seed is {seed}; expected at least 0")
    dataset = _ordered(
        data.load(spec, **fitting(options, reference.extractor.input_shape[1:])),
        old.class_names,
        head,
    )
    sha256 = dataset.train.fingerprint()["sha256"]
    record = DataRecord(name=dataset.name, images=len(dataset.train), sha256=sha256)
    trained = networks.extend_classes(old.head, len(dataset.class_names), seed=seed)
    for model in (reference.extractor, trained):
        set_statistics(model, "batch")
    reference.extractor.trainable = False
    augmentation = Augmentation.for_dataset(dataset, seed=seed)
    task = Task("reference", reference.extractor, trained, augmentation=augmentation)
    trainer = Trainer([task], seed=seed)
    component = Component(
        head=trained,
        head_architecture=old.head_architecture,
        class_names=dataset.class_names,
        auxiliaries=origin(store, "extractor", extractor).auxiliaries,
        parents=[parent_record(store, part) for part in (extractor, head)],
        data=[record],
        metrics={f"accuracy on {store.resolve(extractor)}": 0.0},
        licence=joint_licence(reference.licence, old.licence),
    )
    some = evaluation.some_images(dataset.train, _IMAGES_FOR_STATISTICS)
    if is_chief():
        check_publishable(store, new, described(component, reference.extractor, some))
    # Made only if there is something to keep.
    last_good = Path(tempfile.gettempdir(), f"keras_compat-{uuid.uuid4().hex}", "retrain.keras")
    train(trainer, {task.name: dataset.train}, how, [RoundsBar(how.rounds)], last_good)
    with Unpublished(store, new, replace(component, metrics={})) as result:
        found = evaluation.predict_logits(reference.extractor, trained, dataset.test, _BATCH)
        accuracy = evaluation.accuracy(*found)
        result.component = replace(component, metrics=dict.fromkeys(component.metrics, accuracy))
        result.component = described(result.component, reference.extractor, some)
        result.publish()
    return Retrained(dataset.class_names, accuracy)


def _ordered(dataset: ImageDataset, known: Sequence[str], head: Reference) -> ImageDataset:
    """Returns a data set whose first classes are those of a head, with the head's names."""
    pairs = dict(data.match_classes(known, dataset.class_names))
    without = [name for number, name in enumerate(known) if number not in pairs]
    if without:
        raise InputError(
            f"{dataset.name} has no class {', '.join(map(repr, without[:5]))}, which {head} knows; "
            "expected images of the old classes too: without them the head would forget these"
        )
    first = [pairs[number] for number in range(len(known))]
    rest = np.setdiff1d(range(len(dataset.class_names)), first)
    ordered = dataset.select_classes([*first, *rest.tolist()])
    return replace(ordered, class_names=(*known, *ordered.class_names[len(known) :]))
