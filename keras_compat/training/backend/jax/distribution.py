"""Distribution of training rounds by `keras.distribution.DataParallel`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from weakref import WeakKeyDictionary

import jax
import keras
import numpy as np
from jax.experimental import multihost_utils

from keras_compat.errors import InputError, WorkerLost, unknown_name
from keras_compat.layers import split_by_device
from keras_compat.training.distribution_base import Distribution

NAMES = ("auto", "data_parallel", "multi_worker", "none")

# The first words of XLA's errors when a partner is gone. Some are a plain `ValueError`.
_STATES = tuple(
    f"{state}:"
    for state in (
        "ABORTED",
        "CANCELLED",
        "DEADLINE_EXCEEDED",
        "FAILED_PRECONDITION",
        "INTERNAL",
        "UNAVAILABLE",
        "UNKNOWN",
    )
)


def make_distribution(name: str, statistics_over: str) -> JaxDistribution | None:
    """Returns the distribution with a name, `None` for one device; see `start_distribution`."""
    if name not in NAMES:
        raise unknown_name("distribution of the JAX backend", name, NAMES)
    if name == "none":
        return None
    if name == "multi_worker":
        with _output_as_errors():
            _join_workers()
            devices = jax.devices()
        return JaxDistribution(devices, statistics_over)
    devices = jax.local_devices()
    if name == "auto" and sum(device.platform != "cpu" for device in devices) < 2:
        return None
    return JaxDistribution(devices, statistics_over)


@contextmanager
def _output_as_errors() -> Iterator[None]:
    """Sends standard output to standard error, since Gloo prints there as its peers connect."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _join_workers() -> None:
    try:
        keras.distribution.initialize()
    except (ValueError, RuntimeError) as error:
        names = ("JOB_ADDRESSES", "NUM_PROCESSES", "PROCESS_ID")
        given = {n: os.environ.get(f"KERAS_DISTRIBUTION_{n}") for n in names}
        raise InputError(
            f"the other workers were not found ({str(error).splitlines()[0]}); expected "
            "KERAS_DISTRIBUTION_JOB_ADDRESSES (address and port of the first), "
            "KERAS_DISTRIBUTION_NUM_PROCESSES and KERAS_DISTRIBUTION_PROCESS_ID in the "
            f"environment, which has {given}"
        ) from None


class JaxDistribution(Distribution):
    """Puts a trainer's variables on all devices while it trains, and back on one afterwards.

    A step sees the whole batch, and each device holds a part of it. So losses, metrics, random
    numbers and statistics are those of one device.

    Args:
        devices: The devices of all processes.
    """

    def __init__(self, devices: list[jax.Device], statistics_over: str = "global"):
        super().__init__(
            len(devices), statistics_over, workers=jax.process_count(), worker=jax.process_index()
        )
        names = np.array([f"{device.platform}:{device.id}" for device in devices])
        mesh = keras.distribution.DeviceMesh(names.shape, ["batch"], names)
        # Every process reads all data and passes on its own part.
        self._keras = keras.distribution.DataParallel(device_mesh=mesh, auto_shard_dataset=False)
        self._steps: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()

    def fit(
        self, trainer: Any, batches: Any, validation_data: Any = None, **how: Any
    ) -> keras.callbacks.History:
        if validation_data is not None:
            raise InputError(
                "validation_data cannot be evaluated while training is spread on JAX; call "
                "evaluate after fit"
            )
        by_device = nullcontext()
        if self.statistics_over == "device":
            size = self._batch_size(batches)
            by_device = split_by_device(trainer.parts.values(), self.devices, size)
        with self._peers(), by_device, self._compiled(trainer):
            for variable in _variables(trainer):
                layout = self._keras.get_variable_layout(variable).backend_layout
                variable.assign(_on_devices(np.array(variable.value), layout))
            try:
                with self._keras.scope():
                    return keras.Model.fit(trainer, _OwnRows(batches, self), **how)
            finally:
                trainer.jax_state_sync()
                for variable in _variables(trainer):
                    variable.assign(np.array(variable.value))

    @contextmanager
    def _compiled(self, trainer: Any) -> Iterator[None]:
        """Within it the trainer uses the step that was compiled for these devices."""
        before = self._steps.pop(trainer, None)
        trainer.train_function = None if trainer.track_learnt() else before
        try:
            yield
        finally:
            self._steps[trainer], trainer.train_function = trainer.train_function, None

    def share(self, text: str = "") -> str:
        if self.workers == 1:
            return text
        given = np.frombuffer(text.encode(), np.uint8)
        with self._peers():
            length = int(multihost_utils.broadcast_one_to_all(np.int32(len(given))))
            if not length:
                return ""
            letters = np.zeros(length, np.uint8)
            if self.is_chief:
                letters[:] = given
            return np.asarray(multihost_utils.broadcast_one_to_all(letters)).tobytes().decode()

    def _batch_size(self, batches: Any) -> int:
        images, *_ = batches[0]
        sizes = {len(values) for values in images.values()}
        for size in sizes:
            self.check_batch(size)
        return max(sizes)

    @contextmanager
    def _peers(self) -> Iterator[None]:
        """Raises a `WorkerLost` of one line when another worker ended."""
        try:
            yield
        except (jax.errors.JaxRuntimeError, ValueError) as error:
            if self.workers == 1 or not str(error).startswith(_STATES):
                raise
            raise WorkerLost(self.worker, self.workers, str(error)) from error


class _OwnRows(keras.utils.PyDataset):
    """The part of each minibatch for the devices of this process."""

    def __init__(self, batches: Any, distribution: Distribution):
        super().__init__()
        self._batches, self._distribution = batches, distribution

    @property
    def num_batches(self) -> int | None:
        return self._batches.num_batches

    def __getitem__(self, index: int) -> Any:
        def rows(values: Any) -> Any:
            self._distribution.check_batch(len(values))
            size = len(values) // self._distribution.workers
            first = self._distribution.worker * size
            return values[first : first + size]

        return keras.tree.map_structure(rows, self._batches[index])


def _on_devices(value: np.ndarray, layout: Any) -> jax.Array:
    """Returns a value that all workers have, in a layout.

    `device_put` would compare the value between the workers.
    """
    return jax.make_array_from_callback(value.shape, layout, lambda part: value[part])


def _variables(trainer: Any) -> list[keras.Variable]:
    all_of = (*trainer.variables, *trainer.metrics_variables, *trainer.optimizer.variables)
    return list({id(v): v for v in all_of}.values())
