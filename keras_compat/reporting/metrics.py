"""Reads and writes `metrics.json`, which has one form for every app."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_compat.errors import InputError
from keras_compat.files import read_json, write_text
from keras_compat.reporting.finished import FINISHED, check_finished
from keras_compat.reporting.hardware import collect_hardware
from keras_compat.reporting.records import Record, check_record
from keras_compat.versions import collect_versions

SECTIONS = {
    "experiment": str,
    "config": dict,
    "versions": dict,
    "hardware": dict,
    "data": dict,
    "durations_s": dict,
    "results": list,
}


def write_metrics(
    path: str | os.PathLike[str],
    *,
    experiment: str,
    config: Mapping[str, Any],
    data: Mapping[str, Any],
    durations_s: Mapping[str, float],
    results: Sequence[Record],
    versions: Mapping[str, Any] | None = None,
    hardware: Mapping[str, Any] | None = None,
    made_by: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Writes a `metrics.json`, whole or not at all.

    Args:
        path: File to write or replace; the folders above are made.
        experiment: Name of the app, such as `"classifier_transfer"`.
        data: Fingerprint of each data set, by its name.
        durations_s: Seconds of each phase.
        versions: Versions of the software; `collect_versions()` by default.
        hardware: Description of the machine; `collect_hardware()` by default.
        made_by: Parts of the run that were made on several machines or at several times: for each
            the `versions`, the `hardware`, and the `parts` by their names in `durations_s`.

    Returns:
        Content of the file.

    Raises:
        ValueError: if a record is not flat or a figure is not finite.

    Example:

    >>> import tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "metrics.json")
    >>> records = [{"metric": "chance", "value": 0.1}]
    >>> metrics = write_metrics(path, experiment="demo", config={}, data={}, durations_s={},
    ...                         results=records)
    >>> load_metrics(path)["results"]
    [{'metric': 'chance', 'value': 0.1}]
    """
    for record in results:
        check_record(record)
    metrics = {
        "experiment": experiment,
        "config": dict(config),
        "versions": dict(collect_versions() if versions is None else versions),
        "hardware": dict(collect_hardware() if hardware is None else hardware),
        "made_by": [dict(maker) for maker in made_by],
        "data": dict(data),
        "durations_s": {name: round(float(s), 3) for name, s in durations_s.items()},
        "results": list(results),
    }
    write_text(path, _to_json(metrics))
    return metrics


def load_metrics(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Reads a `metrics.json` and checks its form.

    Returns:
        A dict with the keys `experiment`, `config`, `versions`, `hardware`, `made_by`, `data`,
        `durations_s` and `results`.

    Raises:
        InputError: if the file is missing, as in the folder of an unfinished run, is not JSON,
            lacks a section or holds a bad record.

    Example:

    >>> load_metrics("no_such.json")
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: no_such.json cannot be read (No such file or directory); ...
    """
    from keras_compat.reporting.forms import check_form

    if os.path.basename(path) == FINISHED:
        check_finished(Path(path).parent)
    found = read_json(path, "a metrics.json that an app wrote")
    metrics = {}
    for section, kind in SECTIONS.items():
        metrics[section] = found.get(section) if isinstance(found, dict) else None
        if not isinstance(metrics[section], kind):
            raise InputError(
                f"{path} has no {section!r} section; expected a metrics.json that an app wrote"
            )
    # Files of runs whose parts were all made in one go may lack it.
    metrics["made_by"] = found.get("made_by", [])
    check_form(metrics, os.fspath(path))
    return metrics


def _to_json(metrics: Mapping[str, Any]) -> str:
    """Returns indented JSON with one record a line, so that a diff of results/ can be read."""
    head = {k: v for k, v in metrics.items() if k != "results"}
    text = json.dumps(head, indent=2, allow_nan=False, default=_plain)
    lines = [json.dumps(r, allow_nan=False, default=_plain) for r in metrics["results"]]
    body = ",\n    ".join(lines)
    results = f"[\n    {body}\n  ]" if lines else "[]"
    return f'{text[:-2]},\n  "results": {results}\n}}\n'


def _plain(value: Any) -> Any:
    """Returns what `json` knows for NumPy's values, sets and paths."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"metrics.json cannot hold a {type(value).__name__}. Received: {value!r}")
