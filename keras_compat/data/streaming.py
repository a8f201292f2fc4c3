"""Labelled images that are read from disk as they are needed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np

from keras_compat.data.examples import near_equal_sizes
from keras_compat.data.labels import check_labels
from keras_compat.data.quiet_tensorflow import without_autotuning
from keras_compat.errors import InputError
from keras_compat.machine import cores

if TYPE_CHECKING:
    import tensorflow as tf

# Encoded images that a shuffle holds at once.
SHUFFLE_BUFFER = 10_000
# Minibatches that are ready before they are asked for.
_AHEAD = 2


class Stream(Protocol):
    """What `StreamedExamples` reads from: a fixed sequence of encoded images."""

    name: str
    image_shape: tuple[int, int, int]
    memory_limit_bytes: int

    def encoded(self) -> tf.data.Dataset:
        """Returns the encoded images (string scalars), always in the same order."""

    def decode(self, encoded: tf.Tensor) -> tf.Tensor:
        """Returns the uint8 image of `image_shape` for an encoded one."""


class StreamedExamples:
    """Labelled images with the methods of `Examples`, for data that do not fit into memory.

    Labels are in memory; images are read in the order of the stream and shuffled within a buffer
    of 10,000 encoded images. TensorFlow Datasets shuffles what it stores too; a set stored in the
    order of its classes would stay partly so. A subset reads past what it leaves out, without
    decoding it.

    Args:
        stream: where images come from.
        positions: the place of each example in the stream, int `[N]`, each at most once.
        labels: integers `[N]`; -1 stands for no label.

    Raises:
        InputError: if a position occurs twice, or positions and labels differ in number.
    """

    def __init__(self, stream: Stream, positions: np.ndarray, labels: np.ndarray):
        self._stream = stream
        self._positions = np.asarray(positions, np.int64)
        self.labels = check_labels(labels, len(labels), "the examples")
        self.labels.flags.writeable = False
        if self._positions.shape != self.labels.shape:
            raise InputError(
                f"there are {len(self._positions)} positions and {len(self.labels)} labels; "
                "expected as many of one as of the other"
            )
        if len(np.unique(self._positions)) < len(self._positions):
            raise InputError("an example of a stream is taken twice; expected each at most once")

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every image."""
        return self._stream.image_shape

    @property
    def images(self) -> np.ndarray:
        """The images, uint8 `[N, H, W, C]`, read now: for subsets that fit into memory.

        Raises:
            InputError: if they take more than the memory limit that the data were loaded with,
                unless they are 1,000 or fewer.
        """
        needed = len(self) * int(np.prod(self.image_shape))
        if needed > self._stream.memory_limit_bytes and len(self) > 1000:
            raise InputError(
                f"{len(self)} images of {self._stream.name} take {needed / 2**30:.1f} GiB; "
                f"expected at most {self._stream.memory_limit_bytes / 2**30:.1f} GiB: take a subset"
            )
        images = np.empty((len(self), *self.image_shape), np.uint8)
        decoded = self._decoded(self._rows_and_encoded())
        for rows, batch in decoded.batch(256).as_numpy_iterator():
            images[rows] = batch
        return images

    def subset(self, indices: np.ndarray) -> StreamedExamples:
        """Returns the examples at `indices`, in that order; no index may occur twice."""
        indices = np.asarray(indices, np.int64)
        return StreamedExamples(self._stream, self._positions[indices], self.labels[indices])

    def relabelled(self, labels: np.ndarray) -> StreamedExamples:
        """Returns the same images with other labels `[N]`."""
        return StreamedExamples(self._stream, self._positions, labels)

    def batches(self, batch_size: int, seed: int, start: int = 0) -> tf.data.Dataset:
        """Returns the endless minibatches of a training run, as data for `fit`.

        Every example comes once an epoch; batches are always full and run on over the end of an
        epoch. The same arguments give the same batches, whatever TensorFlow's global seed is, and
        `start=k` gives what follows the first `k`.

        Args:
            batch_size: examples a batch; may be more than there are examples.
            seed: of the orders.
            start: the index of the first batch; at most one epoch is read to get there.

        Returns:
            A `tf.data.Dataset` of (images uint8 `[B, H, W, C]`, labels int32 `[B]`) without end:
            give `fit` a `steps_per_epoch`.

        Raises:
            InputError: if there are no examples, or an argument is out of range.
        """
        import tensorflow as tf

        if len(self) == 0:
            raise InputError("there are no examples to make minibatches of; expected at least one")
        if batch_size < 1:
            raise InputError(f"batch_size is {batch_size}; expected a positive whole number")
        if start < 0 or seed < 0:
            raise InputError(f"start is {start} and seed is {seed}; expected none below 0")
        first_epoch, skipped = divmod(start * batch_size, len(self))
        examples, buffer = self._rows_and_encoded(), self._shuffle_buffer

        def epoch(number: tf.Tensor) -> tf.data.Dataset:
            # For this function alone: `shuffle` mixes in TensorFlow's global seed, and takes no
            # tensor as its own beside a global seed of 0.
            tf.compat.v1.set_random_seed(1)
            # A large odd factor keeps the epochs of neighbouring seeds apart.
            return examples.shuffle(
                buffer, seed=seed * 1_000_003 + number, reshuffle_each_iteration=False
            )

        endless = tf.data.Dataset.counter(start=first_epoch).flat_map(epoch).skip(skipped)
        labels = tf.constant(self.labels)
        batches = (
            self._decoded(endless)
            .map(lambda row, image: (image, tf.gather(labels, row)))
            .batch(batch_size, drop_remainder=True)
            .prefetch(_AHEAD)
        )
        # Once more: what the stream says of itself does not come out of `flat_map`.
        return without_autotuning(batches)

    def evaluation_batches(
        self, batch_size: int, seed: int = 0
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields every example once, in a fixed shuffled order and near-equal batches.

        Args:
            batch_size: the most examples a batch may have.
            seed: of the order.

        Yields:
            (images uint8 `[B, H, W, C]`, labels int32 `[B]`).
        """
        sizes = near_equal_sizes(len(self), batch_size)
        shuffled = self._rows_and_encoded().shuffle(self._shuffle_buffer, seed=seed)
        decoded = self._decoded(shuffled).prefetch(batch_size).as_numpy_iterator()
        for size in sizes:
            rows, images = zip(*(next(decoded) for _ in range(size)), strict=True)
            yield np.stack(images), self.labels[list(rows)]

    @cached_property
    def _sha256(self) -> str:
        return hashlib.sha256(self.labels.astype("<i4").tobytes()).hexdigest()

    def fingerprint(self) -> dict[str, object]:
        """Returns the source with its version, the count, the shape and the SHA-256 of the labels.

        Pixels are left out: reading all of them is what streaming avoids.
        """
        return {
            "count": len(self),
            "image_shape": list(self.image_shape),
            "sha256": self._sha256,
            "sha256_of": "labels",
            "source": self._stream.name,
        }

    def _rows_and_encoded(self) -> tf.data.Dataset:
        """Returns (row in these examples, encoded image), in the order of the stream."""
        import tensorflow as tf

        # The row of every place in the stream, -1 where it is not one of these examples.
        row_of = np.full(self._positions.max(initial=-1) + 1, -1, np.int64)
        row_of[self._positions] = np.arange(len(self))
        table = tf.constant(row_of)
        return (
            self._stream.encoded()
            .take(len(row_of))
            .enumerate()
            .map(lambda place, encoded: (tf.gather(table, place), encoded))
            .filter(lambda row, encoded: row >= 0)
        )

    @cached_property
    def _shuffle_buffer(self) -> int:
        # The first image tells the scale: large ones shall not fill the memory.
        encoded_bytes = len(next(self._stream.encoded().take(1).as_numpy_iterator()))
        fits = self._stream.memory_limit_bytes // (4 * encoded_bytes)
        return min(len(self), SHUFFLE_BUFFER, max(fits, 256))

    def _decoded(self, examples: tf.data.Dataset) -> tf.data.Dataset:
        return examples.map(
            lambda row, encoded: (row, self._stream.decode(encoded)),
            num_parallel_calls=cores(),
            deterministic=True,
        )
