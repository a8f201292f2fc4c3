"""TensorFlow where it only reads or writes files: silent, and off another backend's GPUs."""

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
    """Hides what TensorFlow's libraries print on being loaded, before they can be told not to.

    They write to the process's standard error directly, so that is where it is caught. If loading
    fails, what they wrote is shown; a missing package says all there is to say.
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
    """Imports TensorFlow beside whatever backend Keras runs on.

    Returns:
        The module `tensorflow`. If Keras runs on another backend, TensorFlow sees no GPU: it
        would take the memory from that backend.

    Raises:
        ImportError: if TensorFlow is not installed.
    """
    with silent_loading():
        import keras
        import tensorflow as tf
    if keras.backend.backend() != "tensorflow":
        # Once it is in use elsewhere it cannot be told so.
        with contextlib.suppress(RuntimeError):
            tf.config.set_visible_devices([], "GPU")
    return tf


def without_autotuning(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Returns a data set whose end nothing waits for.

    The thread that tunes a data set sleeps for 10 ms, then for twice as long each time, up to a
    minute. At the end TensorFlow wakes it just before it can see that this is the end: on a busy
    machine it sleeps on, and whoever read the data set waits for it, about as long as it has run.

    Args:
        dataset: with numbers of threads and of what is read ahead that need no tuning.

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
