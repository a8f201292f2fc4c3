"""Gathers the records and durations of a run while it runs."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from typing import Any

from keras_compat.reporting.metrics import write_metrics
from keras_compat.reporting.records import Record, make_record


class Run:
    """Gathers the records, the durations and the data of a run, and writes its `metrics.json`.

    Args:
        **keys: Keys that all records of the run share, such as `dataset`.

    Attributes:
        durations_s: Seconds by phase; phases of the same name are added up.
        data: Fingerprints of the data sets by name.
        made_by: Makers of the parts; see `write_metrics`.

    Example:

    >>> run = Run("classifier_transfer", {"preset": "demo"}, dataset="digits")
    >>> with run.phase("train"):
    ...     _ = run.add("accuracy", 0.9, extractor="resnet8", seed=0)
    >>> run.results
    [{'metric': 'accuracy', 'dataset': 'digits', 'extractor': 'resnet8', 'seed': 0, 'value': 0.9}]
    >>> list(run.durations_s)
    ['train']
    """

    def __init__(self, experiment: str, config: Mapping[str, Any], **keys: Any):
        self.experiment = experiment
        self.config = dict(config)
        self.keys = keys
        self.results: list[Record] = []
        self.durations_s: dict[str, float] = {}
        self.data: dict[str, Any] = {}
        self.made_by: list[dict[str, Any]] = []

    def add(self, metric: str, value: float, **keys: Any) -> Record:
        """Adds a record, with the run's own keys, and returns it; see `make_record`.

        Raises:
            ValueError: if the value is not finite, or a key holds more than one thing.

        Example:

        >>> Run("demo", {}).add("chance", 0.1)
        {'metric': 'chance', 'value': 0.1}
        """
        record = make_record(metric, value, **{**self.keys, **keys})
        self.results.append(record)
        return record

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Adds the seconds of what runs inside it to a phase, also if that fails.

        Example:

        >>> run = Run("demo", {})
        >>> with run.phase("train"):
        ...     pass
        >>> run.durations_s["train"] >= 0
        True
        """
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - start
            self.durations_s[name] = self.durations_s.get(name, 0.0) + spent

    def write(self, path: str | os.PathLike[str]) -> dict[str, Any]:
        """Writes `metrics.json`, and returns its content; see `write_metrics`.

        Example:

        >>> import os, tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), "metrics.json")
        >>> Run("demo", {}).write(path)["experiment"]
        'demo'
        """
        return write_metrics(
            path,
            experiment=self.experiment,
            config=self.config,
            data=self.data,
            durations_s=self.durations_s,
            results=self.results,
            made_by=self.made_by,
        )
