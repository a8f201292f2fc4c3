"""What is measured on the trained networks of a cell.

To add a measure: a function from a cell and its networks to records, and its name in the registry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Any

import keras
import numpy as np

from keras_compat import evaluation
from keras_compat.data import ImageDataset, match_classes
from keras_compat.errors import InputError
from keras_compat.evaluation.baselines import BASELINES, Baseline, Pair
from keras_compat.experiments.compatibility_analysis.groups import Group
from keras_compat.experiments.compatibility_analysis.methods import INDEPENDENT
from keras_compat.experiments.compatibility_analysis.settings import Config
from keras_compat.experiments.compatibility_analysis.training import Network
from keras_compat.networks import feature_interface
from keras_compat.registry import Registry
from keras_compat.reporting.records import Record, make_record
from keras_compat.studies.cells import Cell

# Without labels; what a user has at hand.
_IMAGES_FOR_SIGNALS = 500


@dataclass(frozen=True)
class Trained:
    """The networks of a cell, and what they are evaluated on."""

    config: Config
    cell: Cell
    group: Group
    networks: Mapping[str, Network]

    @property
    def extractors(self) -> dict[str, keras.Model]:
        return {name: network.extractor for name, network in self.networks.items()}

    @property
    def heads(self) -> dict[str, keras.Model]:
        return {name: network.head for name, network in self.networks.items()}

    @property
    def evaluated(self) -> dict[str, Any]:
        """What the functions of `keras_compat.evaluation` take beside the networks."""
        datasets = self.group.datasets
        return {
            "tests": {name: dataset.test for name, dataset in datasets.items()},
            "class_names": {name: dataset.class_names for name, dataset in datasets.items()},
            "restrict": self.config.restrict,
            "batch_size": self.config.evaluation_batch_size,
            "aliases": self.config.aliases,
        }

    def record(self, metric: str, value: float, **keys: Any) -> Record:
        """Returns a record with the keys of the cell."""
        return make_record(metric, value, **self.cell.keys(), **keys)

    def dataset_name(self, network: str) -> str:
        return self.group.datasets[network].name


MEASURES: Registry[Callable[[Trained], list[Record]]] = Registry("measure")


@MEASURES.register("matrix")
def matrix(trained: Trained) -> list[Record]:
    """Every extractor with every head, and each network with its own (Sec. 4)."""
    found = evaluation.recombination_matrix(trained.extractors, trained.heads, **trained.evaluated)
    records = recombined(trained, _off_diagonal(found))
    own = evaluation.own_accuracies(trained.extractors, trained.heads, **trained.evaluated)
    # On all of its classes a network chooses among all; on the common ones as its partners do.
    every = {name: found[name, name] for name in trained.networks}
    common = {name: _mean(v for (e, _), v in own.items() if e == name) for name in every}
    for subset, values in (("all", every), ("common", common)):
        for name, value in values.items():
            keys = {"network": name, "dataset": trained.dataset_name(name), "subset": subset}
            records.append(trained.record("own_accuracy", value, **keys))
        average = _mean(values.values())
        records.append(trained.record("own_accuracy", average, dataset="average", subset=subset))
    pairs = permutations(trained.networks, 2)
    chance = _mean(1 / len(_common_classes(trained, e, h)) for e, h in pairs)
    records.append(trained.record("chance", chance))
    return records


@MEASURES.register("correlation")
def correlation(trained: Trained) -> list[Record]:
    """Per-channel cross-correlation of extractors on all test images (Fig. 3)."""
    records = []
    tests = [dataset.test for dataset in _distinct(trained.group)]
    for a, b in combinations(trained.networks, 2):
        one, other = trained.extractors[a], trained.extractors[b]
        if feature_interface(one) != feature_interface(other):
            continue
        found = evaluation.cross_correlation(
            one, other, tests, trained.config.evaluation_batch_size
        )
        records += _channels(trained, np.diag(found), a, b)
        if trained.cell.method == INDEPENDENT:
            best = evaluation.optimal_permutation(found)
            values = found[np.arange(len(best)), best]
            records += _channels(trained, values, a, b, permuted=True)
    return records


@MEASURES.register("statistics")
def statistics(trained: Trained) -> list[Record]:
    """Moving statistics as trained, and re-estimated on the test images (B.1)."""
    records = []
    for mode in ("moving", "recalibrated"):
        records += recombined(trained, _between_networks(trained, mode), statistics=mode)
    return records


@MEASURES.register("batch_sizes")
def batch_sizes(trained: Trained) -> list[Record]:
    """Recombination accuracy by the number of images in a batch at inference."""
    curves = [
        evaluation.by_batch_size(
            trained.extractors[e],
            trained.heads[h],
            *_common(trained, e, h),
            seed=trained.cell.seed,
        )
        for e, h in permutations(trained.networks, 2)
    ]
    # A small set has no large batches.
    sizes = [size for size in curves[0] if all(size in curve for curve in curves)]
    values = {("batch", size): _mean(curve[size] for curve in curves) for size in sizes}
    # Images do not influence each other then: one size says all.
    values["recalibrated", 1] = _mean(_between_networks(trained, "recalibrated").values())
    return [
        trained.record(
            "recombination_accuracy_by_batch_size",
            value,
            batch_size=size,
            statistics=mode,
            dataset="average",
        )
        for (mode, size), value in values.items()
    ]


@MEASURES.register("calibration")
def calibration(trained: Trained) -> list[Record]:
    """Recombination accuracy on single images, by the number of images it was adapted with."""
    records = []
    for e, h in permutations(trained.networks, 2):
        examples, classes = _common(trained, e, h)
        curve = evaluation.by_calibration_images(
            trained.extractors[e],
            trained.heads[h],
            trained.group.datasets[e].train,
            examples,
            classes,
            batch_size=trained.config.evaluation_batch_size,
        )
        records += [
            trained.record(
                "recombination_accuracy_by_calibration_images",
                value,
                images=count,
                extractor=e,
                head=h,
                dataset=trained.dataset_name(e),
            )
            for count, value in curve.items()
        ]
    return records


@MEASURES.register("baselines")
def baselines(trained: Trained) -> list[Record]:
    """Ways to recombine that need no compatible training, on these networks."""
    records = []
    for name in BASELINES:
        try:
            values = {
                (e, h): _with_baseline(trained, BASELINES[name], e, h)
                for e, h in permutations(trained.networks, 2)
            }
        except InputError:
            interfaces = {feature_interface(x) for x in trained.extractors.values()}
            if len(interfaces) == 1:
                raise
            # Features of another height and width, which some baselines cannot bridge.
            continue
        records += recombined(trained, values, baseline=name, needs=BASELINES[name].needs)
    return records


@MEASURES.register("signals")
def signals(trained: Trained) -> list[Record]:
    """What tells without labels whether a head works on an extractor, beside whether it does."""
    datasets = trained.group.datasets
    images = {
        name: evaluation.some_images(datasets[name].train, _IMAGES_FOR_SIGNALS)
        for name in trained.networks
    }
    learnt = {
        name: evaluation.channel_statistics(network.extractor, images[name])
        for name, network in trained.networks.items()
    }
    own = {
        name: evaluation.information(network.extractor, network.head, images[name])
        for name, network in trained.networks.items()
    }
    matrix = evaluation.recombination_matrix(trained.extractors, trained.heads, **trained.evaluated)
    records = []
    for (e, h), accuracy in matrix.items():
        found = evaluation.compatibility_signals(
            trained.extractors[e],
            trained.heads[h],
            images[e],
            rotation_head=trained.networks[h].auxiliary_heads.get("rotation"),
            trained_on=learnt[h],
            own_information=own[h],
            mirror=datasets[e].flippable,
        )
        for name, value in {"accuracy": accuracy, **found}.items():
            keys = {"signal": name, "extractor": e, "head": h}
            records.append(trained.record("compatibility_signal", value, **keys))
    return records


def _with_baseline(trained: Trained, baseline: Baseline, e: str, h: str) -> float:
    datasets = trained.group.datasets
    pair = Pair(
        trained.extractors[e],
        datasets[e].train,
        datasets[e].class_names,
        trained.extractors[h],
        trained.heads[h],
        datasets[h].train,
        datasets[h].class_names,
        seed=trained.cell.seed,
        aliases=trained.config.aliases,
    )
    connected = baseline.connect(pair)
    examples, classes = _common(trained, e, h)
    return evaluation.recombination_accuracy(
        connected.extractor,
        connected.head,
        examples,
        classes=classes,
        batch_size=trained.config.evaluation_batch_size,
        statistics=connected.statistics,
    )


def recombined(
    trained: Trained, values: Mapping[tuple[str, str], float], **keys: Any
) -> list[Record]:
    """Returns the records of recombination accuracies, and of their average."""
    records = [
        trained.record(
            "recombination_accuracy",
            value,
            extractor=e,
            head=h,
            dataset=trained.dataset_name(e),
            **keys,
        )
        for (e, h), value in values.items()
    ]
    average = _mean(values.values())
    keys = {"dataset": "average", **keys}
    return [*records, trained.record("recombination_accuracy", average, **keys)]


def _channels(trained: Trained, values: np.ndarray, a: str, b: str, **keys: Any) -> list[Record]:
    keys = {"extractor_a": a, "extractor_b": b, **keys}
    records = [trained.record("cross_correlation", float(np.mean(values)), **keys)]
    ordered = np.sort(values)[::-1]
    return records + [
        trained.record("channel_correlation", float(value), channel=number, **keys)
        for number, value in enumerate(ordered)
    ]


def _between_networks(trained: Trained, mode: str) -> dict[tuple[str, str], float]:
    """Returns the accuracy of every extractor with the heads of the other networks."""
    return _off_diagonal(
        evaluation.recombination_matrix(
            trained.extractors, trained.heads, **trained.evaluated, statistics=mode
        )
    )


def _off_diagonal(matrix: Mapping[tuple[str, str], float]) -> dict[tuple[str, str], float]:
    return {(e, h): value for (e, h), value in matrix.items() if e != h}


def _common(trained: Trained, e: str, h: str) -> tuple[Any, list[int] | None]:
    """Returns test images of network e that network h knows, and what to choose among."""
    examples, classes = evaluation.common_examples(
        trained.group.datasets[e].test, *_class_names(trained, e, h), trained.config.aliases
    )
    return examples, classes if trained.config.restrict else None


def _common_classes(trained: Trained, e: str, h: str) -> list[tuple[int, int]]:
    return match_classes(*_class_names(trained, e, h), trained.config.aliases)


def _class_names(trained: Trained, e: str, h: str) -> list[tuple[str, ...]]:
    return [trained.group.datasets[name].class_names for name in (e, h)]


def _distinct(group: Group) -> list[ImageDataset]:
    """Returns each data set once; several networks may have the same (B.2)."""
    return list({id(dataset): dataset for dataset in group.datasets.values()}.values())


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))
