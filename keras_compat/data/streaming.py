"""Labelled images that are read from disk on demand."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np

from keras_compat.data.batch_sizes import check_minibatches, near_equal_sizes
from keras_compat.data.labels import check_labels
from keras_compat.data.quiet_tensorflow import without_autotuning
from keras_compat.errors import InputError
from keras_compat.machine import cores

if TYPE_CHECKING:
    import tensorflow as tf

# Number of encoded images in the shuffle buffer.
SHUFFLE_BUFFER = 10_000
# Number of minibatches that are prefetched.
_AHEAD = 2


class Stream(Protocol):
    """Fixed sequence of encoded images, the source of `StreamedExamples`."""

    name: str
    image_shape: tuple[int, int, int]
    memory_limit_bytes: int

    def encoded(self) -> tf.data.Dataset:
        """Returns the encoded images (string scalars), always in the same order."""

    def decode(self, encoded: tf.Tensor) -> tf.Tensor:
        """Returns an encoded image as uint8 of `image_shape`."""


class StreamedExamples:
    """Labelled images with the methods of `Examples`, for data that do not fit into memory.

    Labels are in memory. Images are read in the order of the stream and shuffled in a buffer of
    10,000 encoded images. A data set stored in the order of its classes is therefore shuffled in
    part only; TensorFlow Datasets shuffles a data set before it stores it. A subset reads the
    images that it leaves out, but does not decode them.

    Args:
        stream: Source of the images.
        positions: Index of each example in the stream, int `[N]`, each at most once.
        labels: Integers `[N]`; -1 stands for no label.

    Raises:
        InputError: If a position occurs twice, or the numbers of positions and labels differ.
    """

    def __init__(self, stream: Stream, positions: np.ndarray, labels: np.ndarray):
        self._stream = stream
        self._positions = np.asarray(positions, np.int64)
        self.labels = check_labels(labels, len(labels), "the examples")
        self.labels.flags.writeable = False
        if self._positions.shape != self.labels.shape:
            raise InputError(
                f"there are {len(self._positions)} positions and {len(self.labels)} labels; "
                "expected equal numbers"
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
        """Images, uint8 `[N, H, W, C]`, read at each access: for subsets that fit into memory.

        Raises:
            InputError: If more than 1,000 images exceed the memory limit of the data.
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
        """Returns endless minibatches for `fit`, as `Examples.batches` does.

        The same arguments give the same batches, whatever TensorFlow's global seed is.

        Args:
            start: Index of the first batch; at most one epoch is read to reach it.

        Returns:
            An endless `tf.data.Dataset` of (images uint8 `[B, H, W, C]`, labels int32 `[B]`):
            `fit` needs `steps_per_epoch`.

        Raises:
            InputError: If there are no examples, or an argument is out of range.
        """
        import tensorflow as tf

        check_minibatches(len(self), batch_size, seed, start)
        first_epoch, skipped = divmod(start * batch_size, len(self))
        examples, buffer = self._rows_and_encoded(), self._shuffle_buffer

        def epoch(number: tf.Tensor) -> tf.data.Dataset:
            # Local to this function: `shuffle` mixes in TensorFlow's global seed, and accepts a
            # tensor as its own seed only if the global seed is not 0.
            tf.compat.v1.set_random_seed(1)
            # With a large odd factor, neighbouring seeds share no epoch.
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
        # Again: `flat_map` drops the options of the stream.
        return without_autotuning(batches)

    def evaluation_batches(
        self, batch_size: int, seed: int = 0
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields every example once, in a fixed shuffled order and near-equal batches."""
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

        Pixels are left out: streaming avoids reading all of them.
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

        # Row of each image in the stream; -1 if it is not one of these examples.
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
        # An estimate from the first image, so that large images do not fill the memory.
        encoded_bytes = len(next(self._stream.encoded().take(1).as_numpy_iterator()))
        fits = self._stream.memory_limit_bytes // (4 * encoded_bytes)
        return min(len(self), SHUFFLE_BUFFER, max(fits, 256))

    def _decoded(self, examples: tf.data.Dataset) -> tf.data.Dataset:
        return examples.map(
            lambda row, encoded: (row, self._stream.decode(encoded)),
            num_parallel_calls=cores(),
            deterministic=True,
        )
