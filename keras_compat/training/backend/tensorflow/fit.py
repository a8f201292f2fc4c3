"""Keras' training loop for strategies of `tf.distribute`.

The loop of Keras 3.15 fails under MultiWorkerMirroredStrategy
(https://github.com/keras-team/keras/issues/20585). Here every worker reads the whole batch that
one device would get, and each replica gets its part.
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

    Arguments that are not listed are those of `keras.Model.fit`.

    Args:
        batches: The minibatches of all tasks by index, see `JointBatches`.
        check_batch: A function that raises an error for a size that cannot be split.
        steps_per_epoch: Rounds in an epoch.
        validate: A function that evaluates and returns metrics by name.
        shuffle: Always `False`, as minibatches have an order.
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
    # BackupAndRestore sets the epoch to begin with.
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
                # Callbacks such as SwapEMAWeights choose the weights to evaluate.
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
    """Yields minibatches in order, while a thread reads the next one."""
    with ThreadPoolExecutor(1) as thread:
        ahead = thread.submit(batches.__getitem__, 0)
        for following in range(1, count + 1):
            batch = ahead.result()
            if following < count:
                ahead = thread.submit(batches.__getitem__, following)
            yield batch


def _compiled_step(trainer: Any, strategy: tf.distribute.Strategy) -> Callable[[Any], Any]:
    """Returns a function from the replicas' parts of a batch to the metrics of one round."""

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
