"""Spreads the rounds of every trainer of this process over devices and machines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import keras

from keras_compat.choices import GLOBAL, STATISTICS_OVER, check_choice
from keras_compat.errors import InputError


class Distribution(ABC):
    """How rounds are spread: each device sees a part of every batch, and all do the same step.

    Only `Trainer.fit` is spread. Before and after it networks are on one device, and in every
    worker the same, so that what evaluates, saves and ships them knows nothing of devices. All
    workers run the same program on the same data.

    Attributes:
        devices: of all workers together.
        workers: how many processes train together.
        worker: the number of this one; 0 is the chief, which alone writes files.
        statistics_over: `"global"` or `"device"`.
    """

    def __init__(
        self, devices: int, statistics_over: str = GLOBAL, workers: int = 1, worker: int = 0
    ):
        check_choice("value of batch_statistics_over", statistics_over, STATISTICS_OVER)
        self.devices = devices
        self.statistics_over = statistics_over
        self.workers = workers
        self.worker = worker

    @property
    def is_chief(self) -> bool:
        """Whether this process is the one that writes files."""
        return self.worker == 0

    def check_batch(self, size: int) -> None:
        """Raises an `InputError` if a batch cannot be split evenly over the devices."""
        if size % self.devices:
            near = max(size // self.devices, 1) * self.devices
            raise InputError(
                f"batch_size is {size} and is split over {self.devices} devices; expected a "
                f"multiple of {self.devices}, such as {near}: batch_size counts the examples of "
                "all devices together"
            )

    @abstractmethod
    def fit(self, trainer: Any, batches: Any, **how: Any) -> keras.callbacks.History:
        """Does what `keras.Model.fit` does, on all devices; `trainer` has the result.

        Args:
            trainer: a `Trainer`.
            batches: `JointBatches`, the same in all workers.
            **how: of `keras.Model.fit`.

        Raises:
            InputError: if a batch cannot be split evenly.
            WorkerLost: if another worker ended.
        """

    @abstractmethod
    def share(self, text: str = "") -> str:
        """Returns what the chief gives, in all workers; each waits here for the others.

        Raises:
            WorkerLost: if another worker ended.
        """


_current: Distribution | None = None


def current_distribution() -> Distribution | None:
    """Returns what trainers are spread by; `None` leaves them on one device.

    Example:

    >>> current_distribution() is None
    True
    """
    return _current


def set_distribution(distribution: Distribution | None) -> None:
    """Lets every `Trainer.fit` from now on be spread; `None` ends that.

    Args:
        distribution: from `start_distribution`.
    """
    global _current
    _current = distribution


def is_chief() -> bool:
    """Says whether this process is to write files: all but one of several workers are not."""
    return _current is None or _current.is_chief


def start_distribution(name: str, statistics_over: str = "global") -> Distribution | None:
    """Makes every `Trainer.fit` of this process run on several devices; see BUILD.md.

    To be called before anything else makes the backend compute, and once in a process where there
    are several workers.

    Args:
        name: on TensorFlow `"mirrored"` (all GPUs of this machine, or its logical CPU devices),
            `"multi_worker"` (`TF_CONFIG` says which machines) or `"tpu"`; on JAX `"data_parallel"`
            (all devices of this machine, TPUs too) or `"multi_worker"` (of all processes).
            `"auto"` is mirrored or data_parallel where this machine has several accelerators, and
            none elsewhere; `"none"` is one device.
        statistics_over: what normalization takes its statistics over in training: the `"global"`
            batch, or the part of each `"device"`, which needs less communication.

    Returns:
        What is used from now on; `None` for one device.

    Raises:
        InputError: if the backend has no such distribution, or this machine is not set up for it.

    Example:

    >>> start_distribution("none") is None
    True
    """
    if keras.backend.backend() == "tensorflow":
        from keras_compat.training.backend.tensorflow.distribution import make_distribution
    else:
        from keras_compat.training.backend.jax.distribution import make_distribution
    distribution = make_distribution(name, statistics_over)
    set_distribution(distribution)
    return distribution
