"""Where a report's figures come from: settings, durations, data, versions, hardware."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TITLES = {
    "Settings": "config",
    "Seconds by phase": "durations_s",
    "Data": "data",
    "Versions": "versions",
    "Hardware": "hardware",
}


def provenance(metrics: Mapping[str, Any]) -> list[str]:
    """Returns the last parts of a report in Markdown: what made its figures.

    Args:
        metrics: as `load_metrics` returns it.

    Returns:
        A title and a list for each section that is not empty.

    Example:

    >>> empty = {"durations_s": {}, "data": {}, "versions": {}, "hardware": {}}
    >>> provenance({"config": {"preset": "demo", "seeds": 3}, **empty})
    ['## Settings', '- preset: demo\\n- seeds: 3']
    """
    parts = []
    for title, section in _TITLES.items():
        if metrics[section]:
            parts.append(f"## {title}")
            parts.append("\n".join(f"- {k}: {_plain(v)}" for k, v in metrics[section].items()))
    return parts


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {_plain(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, value)) or "none"
    return str(value)
