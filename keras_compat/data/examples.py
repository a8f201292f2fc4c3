"""Labelled images in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from keras_compat.data.batch_sizes import near_equal_sizes
from keras_compat.data.labels import check_labels
from keras_compat.errors import InputError

if TYPE_CHECKING:
    from keras_compat.data.batches import Minibatches


class Examples:
    """Labelled images in memory; images and labels are read-only.

    Args:
        images: Images, uint8 `[N, H, W, C]` with C 1 or 3.
        labels: Integers `[N]` or `[N, 1]`; -1 stands for no label.

    Raises:
        InputError: If a shape or dtype is different, or a label is below -1.

    Example:

    >>> examples = Examples(np.zeros((10, 8, 8, 1), "uint8"), np.arange(10))
    >>> images, labels = examples.batches(4, seed=0)[0]
    >>> images.shape, labels.shape, len(examples.subset([1, 2]))
    ((4, 8, 8, 1), (4,), 2)
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray):
        images = np.asarray(images)
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3):
            raise InputError(
                f"images are {images.dtype} of shape {images.shape}; "
                "expected uint8 of shape (N, H, W, 1 or 3)"
            )
        # Views, so that the caller's arrays stay writable.
        self.images = images.view()
        self.labels = check_labels(labels, len(images), "the examples")
        self.images.flags.writeable = self.labels.flags.writeable = False

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every image."""
        return self.images.shape[1:]

    def subset(self, indices: np.ndarray) -> Examples:
        """Returns the examples at `indices`, in that order."""
        indices = np.asarray(indices, np.int64)
        return Examples(self.images[indices], self.labels[indices])

    def relabelled(self, labels: np.ndarray) -> Examples:
        """Returns the same images with other labels `[N]`."""
        return Examples(self.images, labels)

    def batches(self, batch_size: int, seed: int, start: int = 0) -> Minibatches:
        """Returns endless minibatches for `fit`.

        Batch `i` depends on the examples, `batch_size`, `seed` and `i` alone, so that a run can
        resume at any step. Each epoch has every example once, in a new order. Batches are always
        full and may span two epochs.

        Args:
            batch_size: Number of examples in each batch; it may exceed the number of examples.
            seed: Seed of the order in each epoch.
            start: Index of the first batch.

        Returns:
            A `keras.utils.PyDataset` of (images uint8 `[B, H, W, C]`, labels int32 `[B]`). It has
            no length: `fit` needs `steps_per_epoch`.

        Raises:
            InputError: If there are no examples, or an argument is out of range.
        """
        # Imported here, so that loading data does not start a backend.
        from keras_compat.data.batches import Minibatches

        return Minibatches(self, batch_size, seed, start)

    def evaluation_batches(
        self, batch_size: int, seed: int = 0
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields every example once, in a fixed shuffled order and near-equal batches.

        Normalization by batch statistics needs batches of mixed classes and no small last batch.

        Args:
            batch_size: Maximum number of examples in a batch.
            seed: Seed of the order.

        Yields:
            (images uint8 `[B, H, W, C]`, labels int32 `[B]`).
        """
        for rows in self.evaluation_rows(batch_size, seed):
            yield self.images[rows], self.labels[rows]

    def evaluation_rows(self, batch_size: int, seed: int = 0) -> Iterator[np.ndarray]:
        """Yields the rows of each batch of `evaluation_batches`, int64 `[B]`."""
        order = np.random.default_rng(seed).permutation(len(self))
        end = 0
        for size in near_equal_sizes(len(self), batch_size):
            end += size
            yield order[end - size : end]

    @cached_property
    def _sha256(self) -> str:
        digest = hashlib.sha256(np.ascontiguousarray(self.images))
        digest.update(self.labels.astype("<i4").tobytes())
        return digest.hexdigest()

    def fingerprint(self) -> dict[str, object]:
        """Returns the count, the shape and the SHA-256 of pixels and labels (computed once)."""
        return {
            "count": len(self),
            "image_shape": list(self.image_shape),
            "sha256": self._sha256,
            "sha256_of": "pixels and labels",
        }
