"""The distribution that spreads the rounds of every trainer of this process."""

from __future__ import annotations

from keras_compat.training.backend import make_distribution
from keras_compat.training.distribution_base import Distribution

_current: Distribution | None = None


def current_distribution() -> Distribution | None:
    """Returns the distribution of all trainers; `None` means one device.

    Example:

    >>> current_distribution() is None
    True
    """
    return _current


def set_distribution(distribution: Distribution | None) -> None:
    """Spreads every `Trainer.fit` from now on.

    Args:
        distribution: A distribution from `start_distribution`; `None` means one device.
    """
    global _current
    _current = distribution


def is_chief() -> bool:
    """Returns whether this process writes files, as one of several workers does."""
    return _current is None or _current.is_chief


def start_distribution(name: str, statistics_over: str = "global") -> Distribution | None:
    """Makes every `Trainer.fit` of this process run on several devices; see docs/distributed.md.

    Call it before anything else makes the backend compute. With several workers, call it once in
    a process.

    Args:
        name: On TensorFlow `"mirrored"` (all GPUs of this machine, or its logical CPU devices),
            `"multi_worker"` (the machines in `TF_CONFIG`) or `"tpu"`; on JAX `"data_parallel"`
            (all devices of this machine, TPUs too) or `"multi_worker"` (those of all processes).
            `"auto"` uses mirrored or data_parallel if this machine has several accelerators, else
            one device; `"none"` uses one device.
        statistics_over: The examples over which normalization takes its statistics in training:
            the `"global"` batch, or the part of each `"device"`, which needs less communication.

    Returns:
        The distribution; `None` for one device.

    Raises:
        InputError: The backend has no such distribution, or this machine is not set up for it.

    Example:

    >>> start_distribution("none") is None
    True
    """
    distribution = make_distribution(name, statistics_over)
    set_distribution(distribution)
    return distribution
