"""Settings of runs from before there was a setting for everything that there is now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# What jobs did before they could be told: in all settings, and in those of a stage of training.
_ADDED = {"auxiliary_fraction": 1.0, "auxiliary_every": 1}
_ADDED_TO_TRAINING = {"precision": "float32", "batch_statistics_over": "global"}
# Every stage of training has had these.
_OF_TRAINING = {"rounds", "batch_size", "schedule"}


def as_of_today(settings: Any) -> Any:
    """Returns settings that were stored, with what has become one since.

    Anything else, such as `None` for a file that cannot be read, is returned as it is.

    Example:

    >>> how = {"rounds": 2, "batch_size": 4, "schedule": "cosine"}
    >>> as_of_today({"auxiliary_every": 2, "training": how})["training"]["precision"]
    'float32'
    """
    if not isinstance(settings, Mapping):
        return settings
    completed = {key: _completed(value) for key, value in settings.items()}
    return {**_ADDED, **completed}


def _completed(value: Any) -> Any:
    if isinstance(value, Mapping) and value.keys() >= _OF_TRAINING:
        return {**_ADDED_TO_TRAINING, **value}
    return value
