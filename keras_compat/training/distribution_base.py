"""The interface of every distribution of training rounds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import keras

from keras_compat.choices import GLOBAL, STATISTICS_OVER, check_choice
from keras_compat.errors import InputError


class Distribution(ABC):
    """Spreads rounds over devices: each sees a part of every batch, and all take the same step.

    Only `Trainer.fit` is spread. Before and after it networks are on one device, the same in
    every worker, so evaluating, saving and exporting need not know of devices. All workers run
    the same program on the same data.

    Attributes:
        devices: Number of devices of all workers together.
        workers: Number of processes that train together.
        worker: Number of this process; 0 is the chief, the only one that writes files.
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
        """Whether this process writes files."""
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
        """Trains `trainer` on all devices as `keras.Model.fit` does on one.

        Args:
            batches: `JointBatches`, the same in all workers.
            **how: Arguments of `keras.Model.fit`.

        Raises:
            InputError: A batch cannot be split evenly.
            WorkerLost: Another worker ended.
        """

    @abstractmethod
    def share(self, text: str = "") -> str:
        """Returns the chief's text in all workers, each of which waits for the others.

        Raises:
            WorkerLost: Another worker ended.
        """
