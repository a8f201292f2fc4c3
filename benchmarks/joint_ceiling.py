"""How many operations a second TensorFlow gets out of this machine: the ceiling of a round.

    python -m benchmarks.joint_ceiling --precision=float32|bfloat16

It is a program that `benchmarks.turns` asks; `benchmarks.joint_round` starts it. It tells billions
of floating-point operations a second (a multiply-add counts as two) of a product of two large
matrices, and of a convolution of each of the three shapes that nearly all of a round is made of.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

from benchmarks import turns
from benchmarks.joint_setting import FILTERS, Setting, add_flags, setting

MATRIX, CALLS = 2048, 10


def works(chosen: Setting) -> dict[str, tuple[int, Callable[[], tf.Tensor]]]:
    """Returns, by name, what one call computes and the call."""
    dtype = tf.dtypes.as_dtype(chosen.precision)
    random = tf.random.Generator.from_seed(0)

    def values(*shape: int) -> tf.Tensor:
        return tf.cast(random.normal(shape), dtype)

    a, b = values(MATRIX, MATRIX), values(MATRIX, MATRIX)
    product = tf.function(lambda: tf.matmul(a, b))
    found: dict[str, tuple[int, Callable[[], tf.Tensor]]] = {"product": (2 * MATRIX**3, product)}
    for stage, filters in enumerate(FILTERS):
        size = chosen.image_size // 2**stage
        images = values(chosen.batch_size, size, size, filters)
        kernel = values(3, 3, filters, filters)
        operations = 2 * 9 * filters**2 * size**2 * chosen.batch_size
        convolution = tf.function(
            lambda images=images, kernel=kernel: tf.nn.conv2d(images, kernel, 1, "SAME")
        )
        found[f"convolution_{filters}"] = (operations, convolution)
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
            for _ in range(CALLS * amount):
                result = call()
            # Each call waits for the one before: the device runs them in order.
            float(tf.reduce_max(tf.cast(result, tf.float32)))
            speed = operations * CALLS * amount / (time.perf_counter() - begin)
            speeds[f"{name}_gflops"] = speed / 1e9
        return speeds

    turns.serve(dict, measure)


if __name__ == "__main__":
    main()
