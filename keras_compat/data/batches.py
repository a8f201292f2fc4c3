"""Endless minibatches for training."""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

import keras
import numpy as np

from keras_compat.data.batch_sizes import check_minibatches


class IndexedExamples(Protocol):
    """Labelled images in memory, such as `keras_compat.data.Examples`."""

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int: ...


class Minibatches(keras.utils.PyDataset):
    """Endless minibatches as of `Examples.batches`, each a pure function of the seed and its index.

    Args:
        examples: Examples to draw from; at least one.

    Example:

    >>> from keras_compat.data import Examples
    >>> examples = Examples(np.zeros((3, 8, 8, 1), "uint8"), np.arange(3))
    >>> batches = examples.batches(6, seed=0)
    >>> sorted(batches[0][1].tolist())
    [0, 0, 1, 1, 2, 2]
    """

    def __init__(self, examples: IndexedExamples, batch_size: int, seed: int, start: int = 0):
        super().__init__()
        check_minibatches(len(examples), batch_size, seed, start)
        self.examples = examples
        self.batch_size = batch_size
        self.seed = seed
        self.start = start
        # A batch may span two epochs; several threads may read.
        self._order = lru_cache(maxsize=4)(self._permutation)

    @property
    def num_batches(self) -> None:
        """`None`, as batches are endless: `fit` needs `steps_per_epoch`."""
        return None

    def rows(self, index: int) -> np.ndarray:
        """Returns the rows of the examples in batch `index`, int64 `[batch_size]`."""
        count = len(self.examples)
        first = (self.start + index) * self.batch_size
        epochs, places = np.divmod(np.arange(first, first + self.batch_size), count)
        return np.concatenate(
            [self._order(int(epoch))[places[epochs == epoch]] for epoch in np.unique(epochs)]
        )

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rows = self.rows(index)
        return self.examples.images[rows], self.examples.labels[rows]

    def _permutation(self, epoch: int) -> np.ndarray:
        return np.random.default_rng([self.seed, epoch]).permutation(len(self.examples))
