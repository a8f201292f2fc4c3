"""Figures of one updated head, as the tables and charts of the classifier transfer ask for them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from keras_compat.errors import InputError
from keras_compat.reporting.records import (
    Record,
    Summary,
    over_seeds,
    select,
    summarise,
    unique,
)
from keras_compat.reporting.table import MISSING

VARIANTS = {"frozen_extractor": "extractor frozen", "frozen_rotation": "rotation head frozen"}
"""Parts that are frozen while the head is updated (Sec. 5.2; B.7), the paper's main one first."""
HEADLINES = ("recombination_accuracy", "reference_accuracy")

# Values of keys that a record lacks.
_DEFAULTS = {
    "stage": "updated",
    "subset": "all",
    "variant": "frozen_extractor",
    "statistics": "batch",
    "runtime": "keras",
}


class UpdatedHead:
    """The figures of all extractors with the head that was updated in one of two ways.

    Args:
        records: Records of one data set.

    Attributes:
        extractors: Names of the extractors in the order in which the run measured them.
        reference: Name of the extractor that the head was updated on, or `None`.
        seeds: Text that says how many seeds the spreads are over, if there are several.

    Example:

    >>> keys = {"dataset": "digits", "extractor": "resnet8", "seed": 0}
    >>> head = UpdatedHead([{"metric": "recombination_accuracy", **keys, "value": 0.93}])
    >>> head.extractors, head.accuracy("resnet8").mean
    (('resnet8',), 0.93)
    """

    def __init__(self, records: Sequence[Record], variant: str = "frozen_extractor"):
        self.records = records
        self.variant = variant
        self.label = VARIANTS[variant]

    def __bool__(self) -> bool:
        return bool(self._headlines())

    @cached_property
    def extractors(self) -> tuple[str, ...]:
        order = unique(self.records, "extractor")
        return tuple(sorted(unique(self._headlines(), "extractor"), key=order.index))

    @cached_property
    def reference(self) -> str | None:
        return next(iter(unique(self._find("reference_accuracy"), "extractor")), None)

    @cached_property
    def seeds(self) -> str:
        return over_seeds(self._headlines(), ", mean and standard deviation over {} seeds")

    def accuracy(self, extractor: str, **keys: Any) -> Summary | None:
        """Returns the headline figure with these keys, or else the plain accuracy."""
        keys["extractor"] = extractor
        return summarise(self._headlines(**keys) or self._find("accuracy", **keys))

    def before(self, extractor: str) -> Summary | None:
        """Returns the accuracy of the first-stage network, which knows the old classes alone."""
        keys = {"extractor": extractor, "stage": "initial"}
        found = (self._find("accuracy", subset=subset, **keys) for subset in ("old", "all"))
        return summarise(next(filter(None, found), []))

    def upper_bound(self, extractor: str, architecture: str = "original") -> Summary | None:
        """Returns the accuracy of a network trained on all classes at once, in either variant."""
        keys = {"architecture": architecture, "extractor": extractor, "subset": "all"}
        defaults = {**_DEFAULTS, "architecture": "original"}
        return summarise(
            select(self.records, defaults, metric="upper_bound", statistics="batch", **keys)
        )

    def largest_logit_difference(self, extractor: str) -> str:
        """Returns by how much the outputs of a LiteRT file differ from those of Keras, at most."""
        keys = {"variant": self.variant, "runtime": "litert", "extractor": extractor}
        defaults = {**_DEFAULTS, "runtime": "litert"}
        found = select(self.records, defaults, metric="max_logit_difference", **keys)
        return f"{max(record['value'] for record in found):.1e}" if found else MISSING

    def _find(self, metric: str, **keys: Any) -> list[Record]:
        wanted = {**_DEFAULTS, "variant": self.variant, **keys}
        return select(self.records, _DEFAULTS, metric=metric, **wanted)

    def _headlines(self, **keys: Any) -> list[Record]:
        return [record for metric in HEADLINES for record in self._find(metric, **keys)]


def updated_heads(records: Sequence[Record]) -> list[UpdatedHead]:
    """Returns a head for each variant that has headline figures, the paper's main one first.

    Raises:
        InputError: if there is none.

    Example:

    >>> record = {"metric": "recombination_accuracy", "extractor": "resnet8", "value": 0.9}
    >>> [head.label for head in updated_heads([record])]
    ['extractor frozen']
    """
    found = [head for variant in VARIANTS if (head := UpdatedHead(records, variant))]
    if not found:
        raise InputError(
            f"no record has the metric {' or '.join(HEADLINES)}; expected the results of "
            "classifier_transfer"
        )
    return found


def dataset_of(records: Sequence[Record]) -> str:
    """Returns the name of the data set that all records are of.

    Raises:
        InputError: if there are several data sets.

    Example:

    >>> dataset_of([{"metric": "chance", "dataset": "digits", "value": 0.1}])
    'digits'
    """
    datasets = unique(records, "dataset")
    if len(datasets) > 1:
        raise InputError(
            f"the records are of the data sets {', '.join(datasets)}; expected those of one data "
            "set, so make a report of each"
        )
    return datasets[0] if datasets else "unnamed data"


def constant(records: Sequence[Record], metric: str) -> Summary | None:
    """Returns a figure of the data, which is the same whatever the seed.

    Example:

    >>> constant([{"metric": "chance", "value": 0.1}], "chance").mean
    0.1
    """
    return summarise(select(records, metric=metric)[:1])
