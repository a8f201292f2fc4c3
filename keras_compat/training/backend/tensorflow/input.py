"""Datasets of TensorFlow from minibatches that Python code makes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_compat.data.quiet_tensorflow import without_autotuning

# Minibatches that are read ahead.
_AHEAD = 2
# Minibatches whose shapes show which sizes vary.
_LOOKED_AT = 2


def as_dataset(batches: keras.utils.PyDataset) -> tf.data.Dataset:
    """Returns the minibatches of a `PyDataset` in order, the next ones read ahead.

    This is Keras' way but without autotuning, see `without_autotuning`.

    Args:
        batches: Minibatches of nested arrays with one structure.

    Example:

    >>> class Squares(keras.utils.PyDataset):
    ...     num_batches = 3
    ...     def __getitem__(self, index):
    ...         return np.array([index, index**2])
    >>> [batch.tolist() for batch in as_dataset(Squares()).as_numpy_iterator()]
    [[0, 0], [1, 1], [2, 4]]
    """
    count = batches.num_batches

    def draw() -> Iterator[Any]:
        for index in itertools.count() if count is None else range(count):
            yield batches[index]

    first = [batches[i] for i in range(_LOOKED_AT if count is None else min(_LOOKED_AT, count))]
    signature = keras.tree.map_structure(_any_number_of, *first)
    dataset = tf.data.Dataset.from_generator(draw, output_signature=signature)
    length = tf.data.INFINITE_CARDINALITY if count is None else count
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(length))
    return without_autotuning(dataset.prefetch(_AHEAD))


def _any_number_of(*arrays: np.ndarray) -> tf.TensorSpec:
    """Returns the common type and shape of arrays, for any number of examples."""
    sizes = zip(*(array.shape[1:] for array in arrays), strict=True)
    shape = [each[0] if len(set(each)) == 1 else None for each in sizes]
    return tf.TensorSpec([None, *shape], arrays[0].dtype)
