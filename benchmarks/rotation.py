"""Compares `rotate` with other ways to rotate each image of a batch by its own angle.

    KERAS_BACKEND=tensorflow|jax python -m benchmarks.rotation [--output FILE]

Times compiled functions on float32 images that take and return the same, and prints milliseconds
and their ratio to `rotate`:

- rotate: `keras_compat.auxiliary.rotation.rotate`, which gathers pixels by their places;
- along_axis: the same by `keras.ops.take_along_axis`, which is what `rotate` does on JAX;
- flips: a half turn where it is due, then a quarter turn where it is;
- rot90: all four turns of all images by `keras.ops.rot90`, of which one is chosen.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np
from keras import ops

from benchmarks import output
from benchmarks.alternating import alternate
from keras_compat.auxiliary.rotation import ROTATIONS, rotate
from keras_compat.reporting import Run


def along_axis(images: Any, quarters: Any) -> Any:
    """Turns by one index for each pixel of an image."""
    size, channels = images.shape[1], images.shape[3]
    places = np.arange(size * size, dtype="int32").reshape(size, size)
    turned = np.stack([np.rot90(places, k).ravel() for k in range(ROTATIONS)])
    pixels = ops.reshape(images, (-1, size * size, channels))
    chosen = ops.take(turned, quarters, axis=0)[:, :, None]
    return ops.reshape(ops.take_along_axis(pixels, chosen, axis=1), images.shape)


def flips(images: Any, quarters: Any) -> Any:
    """Turns by flips and transpositions."""
    quarters = ops.reshape(quarters, (-1, 1, 1, 1))
    half = ops.where(quarters >= 2, images[:, ::-1, ::-1], images)
    quarter = ops.transpose(half, (0, 2, 1, 3))[:, ::-1]
    return ops.where(quarters % 2 == 1, quarter, half)


def rot90(images: Any, quarters: Any) -> Any:
    """Turns all by all angles, and chooses."""
    quarters = ops.reshape(quarters, (-1, 1, 1, 1))
    turned = images
    for k in range(1, ROTATIONS):
        turned = ops.where(quarters == k, ops.rot90(images, k, axes=(1, 2)), turned)
    return turned


def compiled(function: Callable[..., Any]) -> Callable[..., np.ndarray]:
    """Returns the function as one program of the backend, which waits for its result."""
    if keras.backend.backend() == "jax":
        import jax

        program = jax.jit(function)
    else:
        import tensorflow as tf

        program = tf.function(function, autograph=False)
    return lambda *arguments: np.asarray(program(*arguments))


def main() -> None:
    parser = output.make_parser(__doc__)
    parser.add_argument("--image_size", type=int, default=32, help="32")
    parser.add_argument("--batch_size", type=int, default=128, help="128")
    parser.add_argument("--repeats", type=int, default=51, help="calls of each that count (51)")
    args = parser.parse_args()
    shape = (args.batch_size, args.image_size, args.image_size, 3)
    images = ops.convert_to_tensor(np.random.default_rng(0).random(shape, "float32"))
    quarters = ops.convert_to_tensor(np.arange(args.batch_size, dtype="int32") % ROTATIONS)
    run = Run("rotation", {**vars(args), "output": None})
    functions = (rotate, along_axis, flips, rot90)
    works = {f.__name__: partial(compiled(f), images, quarters) for f in functions}
    timed = alternate(works, args.repeats)
    ours = timed[rotate.__name__]
    for name, taken in timed.items():
        if not np.array_equal(taken.first, ours.first):
            raise SystemExit(f"{name} turns images otherwise than rotate")
        run.add("call_ms", round(taken.median_s * 1000, 3), variant=name)
        run.add("ratio", round(taken.median_s / ours.median_s, 3), variant=name)
    output.report(run, args.output)


if __name__ == "__main__":
    main()
