"""Distribution of training rounds by a strategy of `tf.distribute`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import keras
import numpy as np
import tensorflow as tf

from keras_compat.errors import InputError, WorkerLost, unknown_name
from keras_compat.training.backend.tensorflow.clone_trainer import (
    copy_state,
    copy_trainer,
    moving_statistics,
)
from keras_compat.training.backend.tensorflow.fit import train
from keras_compat.training.distribution_base import Distribution

NAMES = ("auto", "mirrored", "multi_worker", "none", "tpu")

# Errors of a collective operation whose partner is gone.
_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
    tf.errors.UnknownError,
)


def make_distribution(name: str, statistics_over: str) -> TensorFlowDistribution | None:
    """Returns the distribution with a name, `None` for one device; see `start_distribution`."""
    if name not in NAMES:
        raise unknown_name("distribution of the TensorFlow backend", name, NAMES)
    several = len(tf.config.list_physical_devices("GPU")) > 1
    if name == "none" or (name == "auto" and not several):
        return None
    make = {"multi_worker": _multi_worker, "tpu": _tpu}.get(name, _mirrored)
    return TensorFlowDistribution(make(), statistics_over)


# Every strategy numbers its collective operations from the same start, and TensorFlow would take
# those of a second strategy for operations of the first. So each strategy is made once.
@cache
def _mirrored() -> tf.distribute.Strategy:
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return tf.distribute.MirroredStrategy([device.name for device in devices])


@cache
def _multi_worker() -> tf.distribute.Strategy:
    try:
        config = json.loads(os.environ.get("TF_CONFIG", ""))
        addresses, task = config["cluster"]["worker"], config["task"]
        known = task["type"] == "worker" and 0 <= task["index"] < len(addresses)
    except (ValueError, KeyError, TypeError):
        known = False
    if not known or set(config["cluster"]) != {"worker"}:
        raise InputError(
            f"TF_CONFIG is {os.environ.get('TF_CONFIG', '')!r}; expected the addresses of all "
            "workers and which this is, such as "
            '\'{"cluster": {"worker": ["10.0.0.1:12345", "10.0.0.2:12345"]}, '
            '"task": {"type": "worker", "index": 0}}\''
        )
    return tf.distribute.MultiWorkerMirroredStrategy()


@cache
def _tpu() -> tf.distribute.Strategy:
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect()
    except (ValueError, tf.errors.OpError) as error:
        raise InputError(
            f"no TPU was found ({error}); name it in the environment variable TPU_NAME, or leave "
            "out --distribution=tpu"
        ) from None
    return tf.distribute.TPUStrategy(resolver)


class TensorFlowDistribution(Distribution):
    """Trains a copy of the trainer in a strategy's scope, and copies its state back."""

    def __init__(self, strategy: tf.distribute.Strategy, statistics_over: str = "global"):
        resolver = strategy.cluster_resolver
        several = isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
        super().__init__(
            strategy.num_replicas_in_sync,
            statistics_over,
            workers=len(resolver.cluster_spec().as_dict()["worker"]) if several else 1,
            worker=resolver.task_id if several else 0,
        )
        self.strategy = strategy
        # By trainer: the optimizer and the frozen layers at the time of the copy, and the copy.
        self._copies: WeakKeyDictionary[Any, tuple[Any, Any]] = WeakKeyDictionary()

    def fit(
        self, trainer: Any, batches: Any, validation_data: Any = None, **how: Any
    ) -> keras.callbacks.History:
        def validate() -> dict[str, Any]:
            copy_state(copy, trainer)
            return trainer.evaluate(validation_data, verbose=0, return_dict=True)

        with self._peers():
            copy = self._copy(trainer)
            copy_state(trainer, copy)
            try:
                history = train(
                    copy,
                    self.strategy,
                    batches,
                    self.check_batch,
                    validate=None if validation_data is None else validate,
                    **how,
                )
                if self.statistics_over == "device":
                    self._average(moving_statistics(copy))
            finally:
                copy_state(copy, trainer)
        return history

    def share(self, text: str = "") -> str:
        if self.workers == 1:
            return text
        given = np.frombuffer(text.encode(), np.uint8).astype("int32")
        with self._peers():
            length = self._sum(np.array([len(given) * self.is_chief], "int32"))[0]
            if not length:  # TensorFlow crashes on adding up nothing
                return ""
            letters = np.zeros(length, "int32")
            if self.is_chief:
                letters[:] = given
            return self._sum(letters).astype(np.uint8).tobytes().decode()

    def _copy(self, trainer: Any) -> Any:
        trainer.track_learnt()
        frozen = [x.trainable for part in trainer.parts.values() for x in part._flatten_layers()]
        key = trainer.optimizer, frozen
        before, copy = self._copies.get(trainer, (None, None))
        if before != key:
            with self.strategy.scope():
                copy = copy_trainer(trainer, self.statistics_over == "global")
            self._copies[trainer] = key, copy
        return copy

    def _average(self, variables: list[keras.Variable]) -> None:
        """Gives all replicas the mean of their moving statistics."""

        def replica() -> list[Any]:
            mean = tf.distribute.ReduceOp.MEAN
            values = [tf.convert_to_tensor(v.value) for v in variables]
            return tf.distribute.get_replica_context().all_reduce(mean, values)

        if variables:
            found = tf.function(lambda: self.strategy.run(replica), autograph=False)()
            for variable, value in zip(variables, found, strict=True):
                variable.assign(self.strategy.experimental_local_results(value)[0])

    def _sum(self, values: np.ndarray) -> np.ndarray:
        """Returns the sum of the workers' values, each given by its first replica."""

        def replica(own: Any) -> Any:
            context = tf.distribute.get_replica_context()
            # An argument of a function is on no device before.
            return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(own))

        first = self.worker * (self.devices // self.workers)
        own = self.strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(values * (context.replica_id_in_sync_group == first))
        )
        run = tf.function(lambda x: self.strategy.run(replica, args=(x,)), autograph=False)
        summed = run(own)
        return self.strategy.experimental_local_results(summed)[0].numpy()

    @contextmanager
    def _peers(self) -> Iterator[None]:
        """Raises a `WorkerLost` of one line when another worker ended."""
        try:
            yield
        except _LOST as error:
            if self.workers == 1:
                raise
            raise WorkerLost(self.worker, self.workers, error.message) from error
