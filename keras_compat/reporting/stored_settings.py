"""Settings that a run stored, compared with those of today."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# What runs did before there was a setting for it: in all settings, and in those of a training.
_ADDED = {
    "auxiliaries": ["rotation"],
    "auxiliary_weight": 1.0,
    "rotation_assignment": "random",
    "auxiliary_fraction": 1.0,
    "auxiliary_every": 1,
}
_ADDED_TO_TRAINING = {"precision": "float32", "batch_statistics_over": "global"}
# Every training has these.
_OF_TRAINING = {"rounds", "batch_size", "schedule"}
_LONGEST = 200
PLUGINS = "plugins"
"""Key of the plugins of a run beside its settings."""


def as_of_today(settings: Any) -> Any:
    """Returns stored settings, completed by the settings that were added later.

    Committed results lack them. A value that is no dict, such as `None`, is returned as it is.

    Example:

    >>> how = {"rounds": 2, "batch_size": 4, "schedule": "cosine"}
    >>> as_of_today({"auxiliary_every": 2, "training": how})["training"]["precision"]
    'float32'
    """
    if not isinstance(settings, Mapping):
        return settings
    completed = {key: _completed(value) for key, value in settings.items()}
    # A note of the run, no setting.
    completed.pop(PLUGINS, None)
    # Classifier transfer knew no other auxiliary task.
    if completed.pop("rotation", True) is False:
        completed["auxiliaries"] = []
    return {**_ADDED, **completed}


def _completed(value: Any) -> Any:
    if isinstance(value, Mapping) and value.keys() >= _OF_TRAINING:
        return {**_ADDED_TO_TRAINING, **value}
    return value


def difference(there: Any, here: Any, where: str = "") -> str:
    """Returns words on the first setting in which two configurations differ.

    Example:

    >>> difference({"training": {"rounds": 10}}, {"training": {"rounds": 20}})
    'training.rounds is 10 there, 20 here'
    """
    if isinstance(there, dict) and isinstance(here, dict):
        missing = "not set"
        pairs = {k: (there.get(k, missing), here.get(k, missing)) for k in [*here, *there]}
        key = next(k for k, (a, b) in pairs.items() if a != b)
        return difference(*pairs[key], f"{where}.{key}" if where else key)
    return f"{where or 'config'} is {_short(there)} there, {_short(here)} here"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
