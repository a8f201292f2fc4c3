"""TensorFlow for files alone: silent, and without the GPUs of another backend."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tensorflow as tf


@contextlib.contextmanager
def silent_loading() -> Iterator[None]:
    """Hides the messages that TensorFlow's libraries print while they are loaded.

    The libraries write to the standard error of the process, before their logging can be set. If
    loading fails, the messages are shown, except for a missing package.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as noise:
        os.dup2(noise.fileno(), 2)
        try:
            yield
        except ImportError:
            raise
        except BaseException:
            noise.seek(0)
            os.write(kept, noise.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def import_tensorflow() -> ModuleType:
    """Imports and returns TensorFlow, on any backend of Keras.

    On another backend TensorFlow sees no GPU, because it would take the memory of that backend.

    Raises:
        ImportError: If TensorFlow is not installed.
    """
    with silent_loading():
        import keras
        import tensorflow as tf
    if keras.backend.backend() != "tensorflow":
        # An error if TensorFlow is already in use.
        with contextlib.suppress(RuntimeError):
            tf.config.set_visible_devices([], "GPU")
    return tf


def without_autotuning(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Returns a data set without autotuning, which can delay the end of the data set.

    The tuning thread sleeps for 10 ms, then twice as long each time, up to a minute. At the end
    TensorFlow wakes the thread just before it sets the flag that ends it. On a busy machine the
    thread then sleeps again, and the reader waits for about as long as the data set has run.

    Args:
        dataset: Data set with fixed numbers of threads and of prefetched elements.

    Source: `Model::OptimizeLoop` in tensorflow/core/framework/model.cc and
    `CancellationManager::StartCancel` in tensorflow/core/framework/cancellation.cc of TensorFlow
    2.21

    Example:

    >>> import tensorflow as tf
    >>> list(without_autotuning(tf.data.Dataset.range(3)).as_numpy_iterator())
    [np.int64(0), np.int64(1), np.int64(2)]
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
