"""Origin of a report's figures: settings, durations, data, versions, hardware."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras_compat.reporting.table import MISSING, Table

_LISTS = {"Settings": "config", "Seconds by phase": "durations_s", "Data": "data"}
_MAKER = {"Versions": "versions", "Hardware": "hardware"}


def provenance(metrics: Mapping[str, Any]) -> list[str]:
    """Returns the last parts of a report in Markdown: settings, data, versions and hardware.

    Returns:
        A title and a list for each section that is not empty. Versions and hardware are those
        that the parts of the run were made with; they are a table where these were not the same.

    Example:

    >>> empty = {"durations_s": {}, "data": {}, "versions": {}, "hardware": {}}
    >>> provenance({"config": {"preset": "demo", "seeds": 3}, **empty})
    ['## Settings', '- preset: demo\\n- seeds: 3']
    """
    parts = _lists(metrics, _LISTS)
    makers = metrics.get("made_by", [])
    if len(makers) > 1:
        return [*parts, "## Versions and hardware", _makers(makers).markdown(), _made(makers)]
    # A file is written by the process that measured, unless it says what did.
    return parts + _lists(makers[0] if makers else metrics, _MAKER)


def _lists(metrics: Mapping[str, Any], titles: Mapping[str, str]) -> list[str]:
    parts = []
    for title, section in titles.items():
        if metrics[section]:
            parts.append(f"## {title}")
            parts.append("\n".join(f"- {k}: {_plain(v)}" for k, v in metrics[section].items()))
    return parts


def _makers(makers: list[Mapping[str, Any]]) -> Table:
    """Returns a column for each place and time at which parts of the run were made."""
    columns = [{**maker["versions"], **maker["hardware"]} for maker in makers]
    keys = dict.fromkeys(key for column in columns for key in column)
    rows = [[key, *(_plain(column.get(key, MISSING)) for column in columns)] for key in keys]
    return Table(["", *map(str, range(1, len(makers) + 1))], rows)


def _made(makers: list[Mapping[str, Any]]) -> str:
    lines = (f"- {i}: {', '.join(maker['parts'])}" for i, maker in enumerate(makers, start=1))
    return "\n".join(lines)


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {_plain(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, value)) or "none"
    return str(value)
