"""Answers from the records of a compatibility analysis, for its tables and figures."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from keras_compat.errors import InputError
from keras_compat.methods import UPPER_BOUND, UPPER_BOUNDS
from keras_compat.reporting import paper
from keras_compat.reporting.records import (
    Record,
    Summary,
    mean_by_seed,
    select,
    summarise,
    unique,
    within_seeds,
)

METHODS = "methods"
AVERAGE = "average"

# The meaning of a record that lacks one of these keys.
DEFAULTS = {
    "scheme": "joint",
    "first": "",
    "pretrained": False,
    "split": "",
    "normalization": "batch",
    "features": "plain",
    "common_classes": 0,
    "control": False,
    "variant": "",
    "statistics": "batch",
    "baseline": "",
    "permuted": False,
    "subset": "all",
}


class Analysis:
    """The records of a run of all its studies.

    Keys that a question leaves out have their defaults, so that an answer is never a mixture of
    cells; `None` stands for any value. Where networks or pairs are averaged, it is within a seed
    first: spreads are over seeds.

    Attributes:
        failures: Records of cells that have no result.
        studies: Names of the studies that have records.

    Raises:
        InputError: if no record is of a study.

    Example:

    >>> keys = {"metric": "recombination_accuracy", "study": "methods", "method": "rp", "seed": 0}
    >>> records = [{**keys, "extractor": e, "head": h, "dataset": e, "value": v}
    ...            for e, h, v in (("a", "b", 0.5), ("b", "a", 0.7))]
    >>> analysis = Analysis(records)
    >>> analysis.recombination("methods", method="rp").mean
    0.6
    >>> analysis.recombination("methods", "a", method="rp").mean
    0.5
    """

    def __init__(self, records: Sequence[Record], config: Mapping[str, Any] | None = None):
        self.config = config or {}
        self.failures = select(records, metric="failure")
        records = [record for record in records if record["metric"] != "failure"]
        self.studies = unique(records, "study")
        if not self.studies:
            raise InputError(
                "no record has the key 'study'; expected the results of compatibility_analysis"
            )
        self._records: dict[tuple[str, str], list[Record]] = {}
        for record in records:
            key = (record["metric"], record.get("study", ""))
            self._records.setdefault(key, []).append(record)

    def find(self, metric: str, study: str, **keys: Any) -> list[Record]:
        """Returns the records of a metric in a study that agree with every key."""
        return select(self._records.get((metric, study), []), DEFAULTS, **{**DEFAULTS, **keys})

    def all(self, study: str, metric: str | None = None) -> list[Record]:
        """Returns the records of a study, of one metric or of all, whatever their keys."""
        found = [v for (m, s), v in self._records.items() if s == study and metric in (None, m)]
        return [record for records in found for record in records]

    def recombination(
        self, study: str, extractor: str | None = None, **keys: Any
    ) -> Summary | None:
        """Returns recombination accuracy, over all pairs or over those of one extractor."""
        return summarise(self._recombination(study, extractor, **keys))

    def own(
        self, study: str, network: str | None = None, subset: str = "common", **keys: Any
    ) -> Summary | None:
        """Returns the accuracy of networks that are not recombined, over all or of one."""
        return summarise(self._own(study, network, subset=subset, **keys))

    def compatibility(self, study: str, pretrained: bool = False, **keys: Any) -> Summary | None:
        """Returns recombination accuracy as a part of the upper bound's accuracy, by seed."""
        recombined = self._recombination(study, pretrained=pretrained, **keys)
        return _ratio(recombined, self._upper_bound(study, pretrained=pretrained))

    def kept(self, study: str, **keys: Any) -> Summary | None:
        """Returns recombination accuracy as a part of that of the same networks' own heads."""
        return _ratio(self._recombination(study, **keys), self._own(study, **keys))

    def cross_correlation(self, study: str, **keys: Any) -> Summary | None:
        """Returns the cross-correlation of channels, over all pairs of extractors."""
        return summarise(mean_by_seed(self.find("cross_correlation", study, **keys)))

    def upper_bound(
        self,
        study: str,
        network: str | None = None,
        method: str | None = None,
        pretrained: bool = False,
    ) -> Summary | None:
        """Returns the bound of recombination accuracy, the study's own or that of the methods.

        By default it is the higher one, see `higher_bound`.
        """
        return summarise(self._upper_bound(study, network, method, pretrained))

    def higher_bound(self, study: str, pretrained: bool = False) -> str:
        """Returns by which of the bounds compatibility is measured: the higher.

        The paper's has a rotation head of its own, which helps there. Where training is short it
        may not, and a bound that is too low would make every method look more compatible.
        """
        found = {m: summarise(self._upper_bound(study, None, m, pretrained)) for m in UPPER_BOUNDS}
        known = {method: bound.mean for method, bound in found.items() if bound is not None}
        return max(known, key=known.__getitem__, default=UPPER_BOUND)

    def chance(self, study: str) -> float | None:
        """Returns the accuracy of guessing among common classes, in a study's standard setting."""
        found = self.all(study, "chance") or self.all(METHODS, "chance")
        return found[0]["value"] if found else None

    def common_classes(self, study: str) -> int | None:
        """Returns the number of classes that data sets share, if all pairs share as many."""
        chance = self.chance(study)
        if not chance or abs(1 / chance - round(1 / chance)) > 1e-3:
            return None
        return round(1 / chance)

    def methods(self, study: str, bounds: bool = False) -> tuple[str, ...]:
        """Returns the methods of a study in their order, the upper bounds last or not at all."""
        found = unique(self.all(study), "method")
        kept = [m for m in found if m not in UPPER_BOUNDS]
        return (*kept, *(m for m in UPPER_BOUNDS if bounds and m in found))

    def networks(self, study: str) -> tuple[str, ...]:
        """Returns the networks of a study, by their names."""
        recombined = unique(self.all(study, "recombination_accuracy"), "extractor")
        alone = unique(self.all(study, "own_accuracy"), "network")
        return tuple(dict.fromkeys([*recombined, *alone]))

    def datasets(self, study: str) -> tuple[str, ...]:
        """Returns the data sets of a study."""
        measured = [
            *self.all(study, "recombination_accuracy"),
            *self.all(study, "own_accuracy"),
        ]
        return tuple(name for name in unique(measured, "dataset") if name != AVERAGE)

    def seeds(self, study: str) -> int:
        """Returns the highest number of seeds that cells of the study have."""
        return len(unique(self.all(study), "seed"))

    def spread(self, study: str) -> str:
        """Returns the number of seeds that figures of a study are over, for captions."""
        by_method: dict[str, set[int]] = {}
        for record in self.all(study):
            by_method.setdefault(record.get("method", ""), set()).add(record.get("seed", 0))
        counts = sorted({len(seeds) for seeds in by_method.values()}) or [1]
        if counts[-1] == 1:
            return "one seed"
        seeds = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else str(counts[0])
        return f"mean ± standard deviation, {seeds} seeds"

    @cached_property
    def restricted(self) -> bool:
        """Whether predictions are restricted to the common classes."""
        return bool(self.config.get("restrict", True))

    def on_papers_data(self, study: str) -> bool:
        """Returns whether the networks are of CIFAR-10 and of STL-10, as the paper's."""
        first, *others = self.datasets(study) or ("",)
        pairs = [(first, *others), (*others, first)]
        return any(len(p) == 2 and paper.is_cifar10(p[0]) and paper.is_stl10(p[1]) for p in pairs)

    def _recombination(self, study: str, extractor: str | None = None, **keys: Any) -> list[Record]:
        return self._by_seed("recombination_accuracy", study, extractor=extractor, **keys)

    def _own(
        self, study: str, network: str | None = None, subset: str = "common", **keys: Any
    ) -> list[Record]:
        return self._by_seed("own_accuracy", study, network=network, subset=subset, **keys)

    def _upper_bound(
        self,
        study: str,
        network: str | None = None,
        method: str | None = None,
        pretrained: bool = False,
    ) -> list[Record]:
        method = method or self.higher_bound(study, pretrained)
        studies = [s for s in (study, METHODS) if self.networks(s) == self.networks(study)]
        seeds = unique(self.all(study), "seed")
        for source in studies:
            found = self._own(source, network, method=method, pretrained=pretrained)
            # The methods may have been measured for more seeds.
            found = [r for r in found if r["seed"] in seeds] or found
            if found:
                return found
        return []

    def _by_seed(self, metric: str, study: str, **keys: Any) -> list[Record]:
        """Returns means over networks or pairs, without the averages that are recorded beside."""
        found = self.find(metric, study, **keys)
        return mean_by_seed([r for r in found if r.get("dataset") != AVERAGE])


def _ratio(records: list[Record], others: list[Record]) -> Summary | None:
    """Returns the quotient of two figures, within each seed that has both."""
    return within_seeds(operator.truediv, records, [r for r in others if r["value"]])
