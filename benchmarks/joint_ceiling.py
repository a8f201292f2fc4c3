"""Measures the operations per second of a backend, the upper limit for a round.

    python -m benchmarks.joint_ceiling --precision=float32|bfloat16

It is a program that `benchmarks.turns` asks; `benchmarks.joint_round` starts it. It tells billions
of floating-point operations a second (a multiply-add counts as two) of a product of two large
matrices, and of a convolution of each of the three shapes that nearly all of a round is made of:
forward, and its gradients by images and by kernel. `KERAS_BACKEND` chooses the backend.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks import turns
from benchmarks.joint_setting import FILTERS, Setting, add_flags, setting

MATRIX = 2048
Work = Callable[[], Any]


def tensorflow_works(precision: str) -> tuple[Callable, Callable, Callable]:
    """Returns what makes ones, a product of matrices, and the three passes of a convolution."""
    import tensorflow as tf

    def product(a: Any, b: Any) -> Work:
        return tf.function(lambda: tf.matmul(a, b))

    def passes(images: Any, kernel: Any) -> dict[str, Work]:
        settings = {"strides": [1] * 4, "padding": "SAME"}
        raw = tf.raw_ops
        return {
            "forward": tf.function(lambda: raw.Conv2D(input=images, filter=kernel, **settings)),
            "by_images": tf.function(
                lambda: raw.Conv2DBackpropInput(
                    input_sizes=images.shape, filter=kernel, out_backprop=images, **settings
                )
            ),
            "by_kernel": tf.function(
                lambda: raw.Conv2DBackpropFilter(
                    input=images, filter_sizes=kernel.shape, out_backprop=images, **settings
                )
            ),
        }

    return lambda *shape: tf.ones(shape, precision), product, passes


def jax_works(precision: str) -> tuple[Callable, Callable, Callable]:
    """Returns what makes ones, a product of matrices, and the three passes of a convolution."""
    import jax
    from jax import numpy as jnp

    def bound(function: Callable, *inputs: Any) -> Work:
        compiled = jax.jit(function)
        return lambda: compiled(*inputs)

    def convolve(images: Any, kernel: Any) -> Any:
        names = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(images, kernel, (1, 1), "SAME", dimension_numbers=names)

    def gradient(images: Any, kernel: Any, place: int) -> Any:
        return jax.vjp(convolve, images, kernel)[1](images)[place]

    def passes(images: Any, kernel: Any) -> dict[str, Work]:
        return {
            "forward": bound(convolve, images, kernel),
            "by_images": bound(lambda x, k: gradient(x, k, 0), images, kernel),
            "by_kernel": bound(lambda x, k: gradient(x, k, 1), images, kernel),
        }

    return lambda *shape: jnp.ones(shape, precision), lambda a, b: bound(jnp.matmul, a, b), passes


def works(chosen: Setting) -> dict[str, tuple[int, Work]]:
    """Returns, by name, how many operations one call is and the call."""
    on_jax = os.environ.get("KERAS_BACKEND") == "jax"
    ones, product, passes = (jax_works if on_jax else tensorflow_works)(chosen.precision)
    matrix = ones(MATRIX, MATRIX)
    found = {"product": (2 * MATRIX**3, product(matrix, matrix))}
    for stage, filters in enumerate(FILTERS):
        size = chosen.image_size // 2**stage
        images = ones(chosen.batch_size, size, size, filters)
        operations = 2 * 9 * filters**2 * size**2 * chosen.batch_size
        for name, work in passes(images, ones(3, 3, filters, filters)).items():
            found[f"convolution_{filters}_{name}"] = (operations, work)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_flags(parser)
    parser.add_argument("--precision", default="float32")
    all_works = works(setting(parser.parse_args()))

    def measure(amount: int) -> dict[str, float]:
        speeds = {}
        for name, (operations, call) in all_works.items():
            begin = time.perf_counter()
            results = [call() for _ in range(amount)]
            for result in results:  # TensorFlow has waited for each, JAX has not
                getattr(result, "block_until_ready", lambda: None)()
            speed = operations * len(results) / (time.perf_counter() - begin)
            speeds[f"{name}_gflops"] = speed / 1e9
        return speeds

    turns.serve(dict, measure)


if __name__ == "__main__":
    main()
