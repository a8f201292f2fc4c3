"""Merges runs of one setting that differ in seeds or studies, also of several machines."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from keras_compat.errors import InputError
from keras_compat.reporting.metrics import load_metrics
from keras_compat.reporting.records import Record, unique
from keras_compat.reporting.stored_settings import as_of_today

# Settings in which runs may differ: requested parts, seeds, and places of data.
_ASKED = ("methods", "studies", "sources", "targets")
_SEEDS = ("seed", "seeds")
_PLACES = ("data_dir", "download", "memory_limit_gib")
# Settings that only some studies need: other runs may leave them open.
_OPTIONAL = ("pretraining_dataset",)
# Metrics of a whole process: the highest counts.
_OF_A_PROCESS = ("peak_memory_gib",)
# Characters of a setting that a message quotes.
_LONGEST = 300


def merge_files(paths: Sequence[str | os.PathLike[str]]) -> dict[str, Any]:
    """Reads the metrics of several runs of one setting, and returns them as those of one run.

    Args:
        paths: Files that an app wrote, at least one. Their runs differ in seeds, methods, studies,
            sources or targets only.

    Returns:
        Metrics, as `load_metrics` returns them. `made_by` says which part was made with what;
        `versions` and `hardware` are the first file's.

    Raises:
        InputError: if a file cannot be read, two files are of different apps, settings or images,
            or both hold the same figure with different values.

    Example:

    >>> import tempfile
    >>> from pathlib import Path
    >>> from keras_compat.reporting.metrics import write_metrics
    >>> folder = Path(tempfile.mkdtemp())
    >>> for seed in (0, 1):
    ...     _ = write_metrics(folder / f"{seed}.json", experiment="demo", config={"seed": seed},
    ...                       data={}, durations_s={},
    ...                       results=[{"metric": "accuracy", "seed": seed, "value": 0.5}])
    >>> merged = merge_files([folder / "0.json", folder / "1.json"])
    >>> merged["config"], [r["seed"] for r in merged["results"]]
    ({'seed': [0, 1]}, [0, 1])
    """
    runs = {os.fspath(path): load_metrics(path) for path in paths}
    (first_path, first), *others = runs.items()
    if len(runs) < len(paths):
        raise InputError(f"{first_path} is named twice; expected different files")
    if not others:
        return first
    for path, run in others:
        _check_alike(first_path, first, path, run)
    results = _merged_records(runs)
    return {
        **first,
        "config": _merged_config([run["config"] for run in runs.values()], results),
        "data": {name: found for run in runs.values() for name, found in run["data"].items()},
        "durations_s": _added(run["durations_s"] for run in runs.values()),
        "made_by": _makers(runs.values()),
        "results": results,
    }


def _check_alike(
    path: str, run: Mapping[str, Any], other_path: str, other: Mapping[str, Any]
) -> None:
    """Raises an `InputError` that names the first thing in which two runs must not differ."""
    both = f"{path} and {other_path}"
    if run["experiment"] != other["experiment"]:
        raise InputError(
            f"{both} are of {run['experiment']!r} and {other['experiment']!r}; expected one app's"
        )
    may_differ = {*_ASKED, *_SEEDS, *_PLACES}
    configs = [as_of_today(found["config"]) for found in (run, other)]
    for key in dict.fromkeys([*configs[0], *configs[1]]):
        values = [config.get(key) for config in configs]
        if key in may_differ or (key in _OPTIONAL and None in values):
            continue
        if values[0] != values[1]:
            told = [str(value)[:_LONGEST] for value in values]
            raise InputError(
                f"{both} differ in {key!r} ({told[0]} and {told[1]}); expected runs that "
                "differ in seeds, methods or studies only"
            )
    for name in run["data"].keys() & other["data"].keys():
        if run["data"][name] != other["data"][name]:
            raise InputError(f"{both} are of different images of {name!r}; expected the same")


def _merged_records(runs: Mapping[str, Mapping[str, Any]]) -> list[Record]:
    """Returns the records of all runs, a study's together, each once."""
    found: dict[tuple, Record] = {}
    origin: dict[tuple, str] = {}
    for path, run in runs.items():
        for record in run["results"]:
            key = tuple(sorted((k, v) for k, v in record.items() if k != "value"))
            known = found.get(key)
            if known is not None and record["metric"] in _OF_A_PROCESS and "study" not in record:
                record = max(known, record, key=lambda r: r["value"])
            elif known is not None and known["value"] != record["value"]:
                told = ", ".join(f"{k} {v}" for k, v in record.items() if k != "value")
                raise InputError(
                    f"{origin[key]} and {path} both have {told}: {known['value']} and "
                    f"{record['value']}; expected each figure once, so leave one of them out"
                )
            found[key] = record
            origin.setdefault(key, path)
    studies = unique(found.values(), "study")
    return sorted(found.values(), key=lambda r: studies.index(r["study"]) if "study" in r else -1)


def _merged_config(configs: Sequence[Mapping[str, Any]], results: list[Record]) -> dict[str, Any]:
    """Returns the first settings, with the requested parts of all runs, and the seeds."""
    merged = dict(configs[0])
    for key in _ASKED:
        asked = dict.fromkeys(name for config in configs for name in config.get(key, ()))
        if asked:
            merged[key] = list(asked)
    for key in _OPTIONAL:
        named = [config[key] for config in configs if config.get(key) is not None]
        if named:
            merged[key] = named[0]
    merged.pop("seeds", None)
    merged["seed"] = sorted(unique(results, "seed"))
    return merged


def _added(durations: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Returns the seconds of every phase, added up over the runs."""
    added: dict[str, float] = {}
    for run in durations:
        for name, seconds in run.items():
            # The same to the millisecond is the same measurement, read in both files.
            if added.get(name) != seconds:
                added[name] = round(added.get(name, 0.0) + seconds, 3)
    return added


def _makers(runs: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    makers: list[dict[str, Any]] = []
    for run in runs:
        everything = {
            "versions": run["versions"],
            "hardware": run["hardware"],
            "parts": [name for name in run["durations_s"] if name != "total"],
        }
        for maker in run["made_by"] or [everything]:
            add_maker(makers, maker["versions"], maker["hardware"], maker["parts"])
    return makers


def add_maker(
    makers: list[dict[str, Any]],
    versions: Mapping[str, Any],
    hardware: Mapping[str, Any],
    parts: Iterable[str],
) -> None:
    """Adds parts of a run to what made them; see `write_metrics`.

    Args:
        makers: List to change: parts join those of the same versions and hardware.

    Example:

    >>> makers = []
    >>> for part in ("rp_seed0", "rp_seed1"):
    ...     add_maker(makers, {"keras": "3.15.1"}, {"cores": 2}, [part])
    >>> len(makers), makers[0]["parts"]
    (1, ['rp_seed0', 'rp_seed1'])
    """
    for maker in makers:
        if maker["versions"] == versions and maker["hardware"] == hardware:
            maker["parts"] += [part for part in parts if part not in maker["parts"]]
            return
    makers.append({"versions": dict(versions), "hardware": dict(hardware), "parts": list(parts)})
