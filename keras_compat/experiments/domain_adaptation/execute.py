"""Work of each item: trains, measures, and returns what to keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_compat import evaluation
from keras_compat.errors import InputError
from keras_compat.experiments.domain_adaptation.adaptation import (
    Best,
    Candidate,
    Choice,
    adapt,
    candidates,
    hold_out,
    mutual_information,
    published,
)
from keras_compat.experiments.domain_adaptation.build import build_rotation, build_source
from keras_compat.experiments.domain_adaptation.domains import (
    Domain,
    Domains,
    load_domains,
    load_rotation_images,
    load_target,
)
from keras_compat.experiments.domain_adaptation.items import ADAPTATION, ROTATION, SOURCE, Item
from keras_compat.experiments.domain_adaptation.settings import CRITERIA, PUBLISHED, Settings
from keras_compat.experiments.runner.item_folder import NETWORKS, ItemFolder, check_records
from keras_compat.experiments.runner.work_item import Callbacks, Done, Execution, done_before
from keras_compat.experiments.stored_network import StoredNetwork, fingerprint, load_network
from keras_compat.experiments.training import train
from keras_compat.layers import set_statistics
from keras_compat.networks import copy_model
from keras_compat.reporting.finished import check_finished_above
from keras_compat.reporting.records import Record, make_record
from keras_compat.store.importing import expanded
from keras_compat.training import NonFiniteLoss

HEAD = "rotation_head"
WITH_LABELS = "labels"
# Images of the target that moving statistics are taken over, at most.
CALIBRATION = 2_000


def load(config: Settings) -> Domains:
    """Loads the images of a run, as its networks take them."""
    if config.network is None:
        return load_domains(config)
    network = stored_network(config.network)
    return load_target(config, network.class_names, network.image_shape)


def stored_network(path: str) -> StoredNetwork:
    """Loads a network that can be adapted.

    Raises:
        InputError: if it is not there, is in the folder of an unfinished run, or has no auxiliary
            head that would hold it in place.
    """
    check_finished_above(expanded(path))
    network = load_network(path)
    if not network.auxiliary_heads:
        raise InputError(
            f"{path!r} has no auxiliary head, such as one for rotation, that would keep its "
            "features in place while it adapts; train the network together with one, as "
            "python -m apps.domain_adaptation does"
        )
    return network


def _rotation(config: Settings, item: Item, place: Path, callbacks: Callbacks) -> Done:
    folder = ItemFolder(place / item.name)
    images = load_rotation_images(config)
    head, trainer = build_rotation(config, item.seed, images)
    how = config.rotation_training
    data = dict.fromkeys(trainer.tasks, images.images)
    train(trainer, data, how, callbacks(how.rounds), folder.last_good)
    return Done({HEAD: head})


def _source(config: Settings, item: Item, place: Path, callbacks: Callbacks) -> Done:
    folder = ItemFolder(place / item.name)
    head = None
    if item.starts_from:
        head = done_before(place, *item.starts_from).load_model(HEAD)
    dataset = _domain(load(config), item.source).labelled
    network, trainer = build_source(config, item.seed, dataset, head)
    how, data = config.training, dict.fromkeys(trainer.tasks, dataset.train)
    train(trainer, data, how, callbacks(how.rounds), folder.last_good)
    value = _accuracy(config, network.extractor, network.head, dataset.test, None)
    record = make_record("source_accuracy", value, source=item.source, seed=item.seed)
    return Done(network.models(), [record], {"network": network.about()})


def _adaptation(config: Settings, item: Item, place: Path, callbacks: Callbacks) -> Done:
    if config.network is None:
        network = load_network(done_before(place, *item.starts_from).path / NETWORKS)
    else:
        network = stored_network(config.network)
    measured = _Measured(config, item, network, load(config))
    measured.as_it_is()
    measured.adapt_all(ItemFolder(place / item.name).last_good)
    adapted = measured.finish()
    return Done(adapted.models(), measured.records, {"network": adapted.about()})


class _Measured:
    """Measures of a network on the target, before, during and after it adapts."""

    def __init__(self, config: Settings, item: Item, network: StoredNetwork, domains: Domains):
        self.config = config
        self.item = item
        self.network = network
        target = _domain(domains, item.target)
        # Of the labels those of test images alone: what adapts and chooses has no others at hand.
        self.images = target.images
        self.test = None if target.labelled is None else target.labelled.test
        # The classes of both sides are in one order, unless the network was there before.
        self.classes = domains.classes
        learnt, self.held_out = hold_out(config, self.images, item.seed)
        self.calibration = learnt.subset(np.arange(min(len(learnt), CALIBRATION))).images
        self.records: list[Record] = []
        self.best = {name: Best() for name in (*CRITERIA, WITH_LABELS)}
        self.published: Choice | None = None
        self._accuracies: dict[tuple[Candidate, int], float] = {}

    def as_it_is(self) -> None:
        """Measures the source network on the target, with each kind of statistics."""
        if self.test is None:
            return
        extractor, head = self.network.extractor, self.network.head
        for name, parts, statistics in (
            ("as_it_is", (extractor, head), "moving"),
            ("test_statistics", (extractor, head), "batch"),
            ("target_statistics", self._recalibrated(extractor), "moving"),
        ):
            self._add("accuracy", self._tested(*parts, statistics), network=name)

    def adapt_all(self, last_good: Path) -> None:
        """Adapts by every candidate; one whose loss is not finite is noted, and never chosen.

        Raises:
            NonFiniteLoss: if that is so of all of them.
        """
        ways = candidates(self.config)
        errors = []
        for number, way in enumerate(ways):
            file = last_good.with_stem(f"{last_good.stem}_{number}")
            images, at = self.images, partial(self.checkpoint, way)
            try:
                adapt(self.config, self.item.seed, self.network, images, way, file, at, self)
            except NonFiniteLoss as error:
                errors.append(error)
                name = f"{self.item.name}, learning rate {way.learning_rate:g}, {way.layers}"
                self._add("failure", 1, step=name, message=str(error))
        if len(errors) == len(ways):
            raise errors[0]

    def checkpoint(
        self, candidate: Candidate, rounds: int, loss: float, extractor: keras.Model
    ) -> None:
        """Measures an extractor on its way, and keeps it if it is the best by something."""
        head = self.network.head
        information = mutual_information(
            extractor, head, self.held_out, self.config.evaluation_batch_size
        )
        if not np.isfinite(information):
            raise NonFiniteLoss(f"logits are not finite after round {rounds}; try a lower rate")
        keys = {
            "learning_rate": candidate.learning_rate,
            "layers": candidate.layers,
            "rounds": rounds,
        }
        self._add("held_out_loss", loss, **keys)
        self._add("mutual_information", information, **keys)
        self.best["loss"].offer(candidate, rounds, -loss, extractor)
        self.best["mutual_information"].offer(candidate, rounds, information, extractor)
        if self.test is not None:
            accuracy = self._tested(extractor, head, "batch")
            self._add("accuracy_on_the_way", accuracy, **keys)
            self._accuracies[candidate, rounds] = accuracy
            self.best[WITH_LABELS].offer(candidate, rounds, accuracy, extractor)
        last = rounds == self.config.adaptation.rounds
        if last and candidate == published(self.config):
            self.published = Choice(candidate, rounds, 0.0, extractor.get_weights())

    def state(self) -> tuple[Any, Mapping[str, np.ndarray]]:
        """Returns what was gathered on the way, for a checkpoint."""
        choices = {name: best.choice for name, best in self.best.items()}
        choices[PUBLISHED] = self.published
        made = {n: choice for n, choice in choices.items() if choice is not None}
        arrays = {
            f"{name}/{number}": array
            for name, choice in made.items()
            for number, array in enumerate(choice.weights)
        }
        told = {
            "records": self.records,
            "choices": {name: choice.told() for name, choice in made.items()},
            "accuracies": [
                {"candidate": asdict(candidate), "rounds": rounds, "accuracy": accuracy}
                for (candidate, rounds), accuracy in self._accuracies.items()
            ],
        }
        return told, arrays

    def restore(self, state: Any, arrays: Mapping[str, np.ndarray]) -> None:
        """Puts back what a checkpoint holds; all of it, or nothing where it is not whole."""
        records = list(check_records(state["records"], "records"))
        accuracies = {
            (Candidate(**told["candidate"]), told["rounds"]): float(told["accuracy"])
            for told in state["accuracies"]
        }
        shapes = [weights.shape for weights in self.network.extractor.get_weights()]
        found = {}
        for name, told in state["choices"].items():
            choice = Choice.of(told, [arrays[f"{name}/{number}"] for number in range(len(shapes))])
            if [weights.shape for weights in choice.weights] != shapes:
                raise ValueError(f"the weights chosen by {name} are of another extractor")
            if self.test is not None and (choice.candidate, choice.rounds) not in accuracies:
                raise ValueError(f"there is no accuracy of what was chosen by {name}")
            found[name] = choice
        self.records, self._accuracies = records, accuracies
        self.published = found.pop(PUBLISHED, None)
        for name, best in self.best.items():
            best.choice = found.get(name)

    def finish(self) -> StoredNetwork:
        """Adds what was chosen by what; returns the network that the run is to store.

        Its moving statistics are those of target images, for whom it is to classify one by one.
        """
        choices = {PUBLISHED: self.published}
        choices |= {name: best.choice for name, best in self.best.items()}
        for name, choice in choices.items():
            if choice is None:
                continue
            keys = {
                "chosen_by": name,
                "learning_rate": choice.candidate.learning_rate,
                "layers": choice.candidate.layers,
            }
            self._add("chosen_rounds", choice.rounds, **keys)
            if self.test is not None:
                accuracy = self._accuracies[choice.candidate, choice.rounds]
                self._add("accuracy", accuracy, network="adapted", rounds=choice.rounds, **keys)
        chosen = choices[self.config.choose_by]
        if chosen is None:
            raise NonFiniteLoss("the published way to adapt, which was to be stored, diverged")
        extractor = copy_model(self.network.extractor)
        extractor.set_weights(chosen.weights)
        extractor, head = self._recalibrated(extractor)
        if self.test is not None:
            keys = {"network": "adapted_target_statistics", "chosen_by": self.config.choose_by}
            self._add("accuracy", self._tested(extractor, head, "moving"), **keys)
        for part in (extractor, head):
            set_statistics(part, "batch")
        return replace(self.network, extractor=extractor, head=head)

    def _recalibrated(self, extractor: keras.Model) -> tuple[keras.Model, keras.Model]:
        """Returns copies of an extractor and the head, with moving statistics of the target."""
        return evaluation.recalibrate(
            extractor,
            self.network.head,
            self.calibration,
            batch_size=self.config.evaluation_batch_size,
        )

    def _tested(self, extractor: keras.Model, head: keras.Model, statistics: str) -> float:
        test = self.test
        if self.classes != tuple(range(len(self.classes))):
            test = test.relabelled(np.asarray(self.classes)[test.labels])
        return _accuracy(self.config, extractor, head, test, self.classes, statistics)

    def _add(self, metric: str, value: float, **keys: Any) -> None:
        item = self.item
        self.records.append(
            make_record(
                metric, value, source=item.source, target=item.target, seed=item.seed, **keys
            )
        )


def _accuracy(
    config: Settings,
    extractor: keras.Model,
    head: keras.Model,
    examples: Any,
    classes: tuple[int, ...] | None,
    statistics: str = "batch",
) -> float:
    """Returns average class accuracy, as the paper reports it."""
    return evaluation.recombination_accuracy(
        extractor,
        head,
        examples,
        classes=classes,
        batch_size=config.evaluation_batch_size,
        statistics=statistics,
        class_average=True,
    )


def _domain(domains: Domains, name: str) -> Domain:
    return next(side for side in domains.sides if side.name == name)


def fingerprints(config: Settings, item: Item) -> dict[str, Any]:
    """Returns what identifies all that an item depends on beside its settings, by name."""
    if item.kind == ROTATION:
        return {"rotation_init": load_rotation_images(config).images.fingerprint()}
    # A source network knows nothing of the other side but its classes.
    found = {
        side.name: side.fingerprint()
        for side in load(config).sides
        if item.kind == ADAPTATION or side.name == item.source
    }
    if config.rotation_init is not None:
        found["rotation_init"] = load_rotation_images(config).images.fingerprint()
    if config.network is not None:
        found["network"] = fingerprint(config.network)
    return found


_KINDS = {ROTATION: _rotation, SOURCE: _source, ADAPTATION: _adaptation}
EXECUTION = Execution(_KINDS, Settings.of_item, fingerprints)
