"""Trained networks with their data, as the measures of studies see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

import keras
import numpy as np

from keras_compat import evaluation
from keras_compat.data import Examples, ImageDataset, StreamedExamples, match_classes
from keras_compat.reporting.records import Record, make_record
from keras_compat.studies.cells import Cell


@dataclass(frozen=True)
class Network:
    """An extractor with the head that was trained on it.

    Attributes:
        auxiliary_heads: Heads that the extractor was trained with, by the names of their tasks.
    """

    extractor: keras.Model
    head: keras.Model
    auxiliary_heads: Mapping[str, keras.Model] = field(default_factory=dict)


@dataclass(frozen=True)
class Trained:
    """The networks of a cell, and the data that they are evaluated on.

    Args:
        datasets: Each network's data. Label k means the same class in all data sets for classes
            that all of them have.
        restrict: Whether recombined networks choose among the common classes only.
        batch_size: Highest number of test images that batch statistics are taken over.
        aliases: Other names of classes, see `keras_compat.data.match_classes`.
    """

    cell: Cell
    networks: Mapping[str, Network]
    datasets: Mapping[str, ImageDataset]
    restrict: bool = True
    batch_size: int = 500
    aliases: Mapping[str, str] = field(default_factory=dict)

    @property
    def extractors(self) -> dict[str, keras.Model]:
        """Extractors by the names of the networks."""
        return {name: network.extractor for name, network in self.networks.items()}

    @property
    def heads(self) -> dict[str, keras.Model]:
        """Heads by the names of the networks."""
        return {name: network.head for name, network in self.networks.items()}

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Every extractor with the head of every other network, by names."""
        return list(permutations(self.networks, 2))

    @property
    def evaluated(self) -> dict[str, Any]:
        """Arguments of the functions of `keras_compat.evaluation` beside the networks."""
        return {
            "tests": {name: dataset.test for name, dataset in self.datasets.items()},
            "class_names": {name: dataset.class_names for name, dataset in self.datasets.items()},
            "restrict": self.restrict,
            "batch_size": self.batch_size,
            "aliases": self.aliases,
        }

    def matrix(self, statistics: str = "batch") -> dict[tuple[str, str], float]:
        """Returns the accuracy of every extractor with every head, its own included."""
        return evaluation.recombination_matrix(
            self.extractors, self.heads, **self.evaluated, statistics=statistics
        )

    def common_examples(
        self, e: str, h: str
    ) -> tuple[Examples | StreamedExamples, list[int] | None]:
        """Returns the test images of network e that network h knows, and the classes to choose."""
        examples, classes = evaluation.common_examples(
            self.datasets[e].test, *self._class_names(e, h), self.aliases
        )
        return examples, classes if self.restrict else None

    def common_classes(self, e: str, h: str) -> list[tuple[int, int]]:
        """Returns the classes that two networks have in common, each as both number it."""
        return match_classes(*self._class_names(e, h), self.aliases)

    def record(self, metric: str, value: float, **keys: Any) -> Record:
        """Returns a record with the keys of the cell."""
        return make_record(metric, value, **self.cell.keys(), **keys)

    def recombined(self, values: Mapping[tuple[str, str], float], **keys: Any) -> list[Record]:
        """Returns the records of recombination accuracies by pair, and of their average.

        Args:
            values: Accuracies by extractor and head; those of own heads are left out.
        """
        values = {(e, h): value for (e, h), value in values.items() if e != h}
        metric = "recombination_accuracy"
        records = [
            self.record(metric, value, extractor=e, head=h, dataset=self.datasets[e].name, **keys)
            for (e, h), value in values.items()
        ]
        mean = np.mean(list(values.values()))
        average = self.record(metric, mean, **{"dataset": "average", **keys})
        return [*records, average]

    def _class_names(self, e: str, h: str) -> list[tuple[str, ...]]:
        return [self.datasets[name].class_names for name in (e, h)]
