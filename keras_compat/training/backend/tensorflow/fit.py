"""Keras' `fit`, for strategies of `tf.distribute`.

Keras 3.15's own fails under MultiWorkerMirroredStrategy
(https://github.com/keras-team/keras/issues/20585). Here each replica gets its part of the batch
that one device would get, of which every worker reads the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import Any

import keras
import tensorflow as tf


def train(
    trainer: Any,
    strategy: tf.distribute.Strategy,
    batches: Any,
    check_batch: Callable[[int], None],
    epochs: int,
    steps_per_epoch: int,
    verbose: Any = "auto",
    callbacks: Any = None,
    initial_epoch: int = 0,
    validate: Callable[[], dict[str, Any]] | None = None,
    validation_freq: int = 1,
    shuffle: bool = False,
) -> keras.callbacks.History:
    """Trains a trainer that was made in the scope of a strategy.

    Args:
        trainer: a compiled `Trainer`.
        strategy: with the replicas.
        batches: the minibatches of all tasks by index, see `JointBatches`.
        check_batch: raises an error for a size that cannot be split.
        epochs: as in Keras.
        steps_per_epoch: rounds an epoch.
        verbose: as in Keras.
        callbacks: as in Keras.
        initial_epoch: as in Keras.
        validate: returns the figures of an evaluation; called after an epoch.
        validation_freq: as in Keras.
        shuffle: as in Keras; minibatches have an order, so it is `False`.
    """
    callbacks = keras.callbacks.CallbackList(
        callbacks,
        add_history=True,
        add_progbar=verbose != 0,
        verbose=1 if verbose == "auto" else verbose,
        epochs=epochs,
        steps=steps_per_epoch,
        model=trainer,
    )
    trainer.stop_training = False
    trainer.track_learnt()
    step = _compiled_step(trainer, strategy)
    callbacks.on_train_begin()
    # BackupAndRestore says so where to begin.
    begin = trainer._initial_epoch or initial_epoch
    logs: dict[str, Any] = {}
    with closing(_one_ahead(batches, (epochs - begin) * steps_per_epoch)) as drawn:
        for epoch in range(begin, epochs):
            trainer.reset_metrics()
            callbacks.on_epoch_begin(epoch)
            for number in range(steps_per_epoch):
                callbacks.on_train_batch_begin(number)
                logs = step(_parts(next(drawn), strategy, check_batch))
                callbacks.on_train_batch_end(number, logs)
                if trainer.stop_training:
                    break
            logs = {name: float(value) for name, value in logs.items()}
            if validate is not None and (epoch + 1) % validation_freq == 0:
                # Some callbacks, such as SwapEMAWeights, choose the weights to be evaluated.
                callbacks.on_test_begin()
                found = {name: float(value) for name, value in validate().items()}
                callbacks.on_test_end(found)
                logs |= {f"val_{name}": value for name, value in found.items()}
            callbacks.on_epoch_end(epoch, logs)
            if trainer.stop_training:
                break
    trainer.optimizer.finalize_variable_values(trainer.trainable_weights)
    callbacks.on_train_end(logs)
    return trainer.history


def _one_ahead(batches: Any, count: int) -> Generator[Any, None, None]:
    """Yields minibatches in order; a thread draws the next one while one is trained on."""
    with ThreadPoolExecutor(1) as thread:
        ahead = thread.submit(batches.__getitem__, 0)
        for following in range(1, count + 1):
            batch = ahead.result()
            if following < count:
                ahead = thread.submit(batches.__getitem__, following)
            yield batch


def _compiled_step(trainer: Any, strategy: tf.distribute.Strategy) -> Callable[[Any], Any]:
    """Returns one round of all replicas, from their parts to the figures, which all agree on."""

    def compile_round(number: int) -> Callable[[Any], Any]:
        one = partial(trainer.train_step, number=number)

        def step(parts: Any) -> Any:
            logs = strategy.run(one, args=(parts,))
            return {k: strategy.experimental_local_results(v)[0] for k, v in logs.items()}

        return step if trainer.run_eagerly else tf.function(step, reduce_retracing=True)

    if getattr(trainer, "_worker_step", None) is None:
        trainer._worker_step = trainer.programs.compiled(compile_round)
    return trainer._worker_step


def _parts(batch: Any, strategy: tf.distribute.Strategy, check: Callable[[int], None]) -> Any:
    """Returns each replica's part of a minibatch."""
    replicas = strategy.num_replicas_in_sync

    def part(context: Any) -> Any:
        number = context.replica_id_in_sync_group

        def rows(values: Any) -> tf.Tensor:
            check(len(values))
            size = len(values) // replicas
            return tf.convert_to_tensor(values[number * size : (number + 1) * size])

        return keras.tree.map_structure(rows, batch)

    return strategy.experimental_distribute_values_from_function(part)
