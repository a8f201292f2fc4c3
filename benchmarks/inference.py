"""Compares evaluation, recalibration and correlation with bare forward passes.

    python -m benchmarks.inference [--output FILE]

ResNet-20, cut after stage 2, and 2,000 images of 32 x 32 in batches of 500; `KERAS_BACKEND` chooses
the backend. Each takes its turn several times over, the median counts; first_s is the first time,
with compilation. ratio is the time over that of as many forward passes of the same parts as it
needs, compiled by hand and called on the same batches:

- evaluate: `recombination_accuracy`;
- recalibrate: `recalibrate` in parts;
- correlate: `cross_correlation` of two extractors, and `optimal_permutation`.

LiteRT files are timed by `benchmarks.litert`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from benchmarks import output
from benchmarks.alternating import alternate
from keras_compat import evaluation, networks
from keras_compat.data import Examples
from keras_compat.reporting import Run

ARCHITECTURE, SIZE, CLASSES = "resnet20@stage2", 32, 10


def compiled(*models: keras.Model) -> Callable[[np.ndarray], Any]:
    """Returns a function that runs models one on another, with no more around it than need be."""
    whole = networks.recombine(*models) if len(models) > 1 else models[0]
    if keras.backend.backend() == "jax":
        import jax

        call = jax.jit(lambda *state_and_images: whole.stateless_call(*state_and_images)[0])

        def run(x: np.ndarray) -> Any:
            # As they are now: Keras puts others in their place when it evaluates.
            kinds = (whole.trainable_variables, whole.non_trainable_variables)
            return call(*([v.value for v in variables] for variables in kinds), x)
    else:
        import tensorflow as tf

        run = tf.function(lambda x: whole(x, training=False))

    return lambda images: np.asarray(run(images.astype("float32")))


def works(images: int, batch_size: int) -> dict[str, Callable[[], Any]]:
    """Returns what is timed, by name; `forward_NAME` is what NAME is compared with."""
    random = np.random.default_rng(0)
    shape = (images, SIZE, SIZE, 3)
    labels = random.integers(0, CLASSES, images).astype("int32")
    examples = Examples(random.integers(0, 256, shape).astype("uint8"), labels)
    one, other = (
        networks.build_extractor(
            ARCHITECTURE, shape[1:], interface_channels=None, seed=seed, name=f"extractor_{seed}"
        )
        for seed in (0, 1)
    )
    channels = one.output_shape[-1]
    head = networks.build_head(ARCHITECTURE, input_channels=channels, classes=CLASSES, seed=0)
    network, first, second = compiled(one, head), compiled(one), compiled(other)

    def forward(*parts: Callable[[np.ndarray], Any]) -> None:
        for start in range(0, images, batch_size):
            for part in parts:
                part(examples.images[start : start + batch_size])

    def correlate() -> None:
        found = evaluation.cross_correlation(one, other, [examples], batch_size)
        evaluation.optimal_permutation(found)

    return {
        "forward_evaluate": lambda: forward(network),
        "evaluate": lambda: evaluation.recombination_accuracy(
            one, head, examples, batch_size=batch_size
        ),
        "forward_recalibrate": lambda: forward(network),
        "recalibrate": lambda: evaluation.recalibrate(
            one, head, examples.images, batch_size=batch_size
        ),
        "forward_correlate": lambda: forward(first, second),
        "correlate": correlate,
    }


def main() -> None:
    parser = output.make_parser(__doc__)
    parser.add_argument("--images", type=int, default=2_000, help="(2,000)")
    parser.add_argument("--batch_size", type=int, default=500, help="(500)")
    parser.add_argument("--repeats", type=int, default=5, help="times each (5)")
    args = parser.parse_args()
    run = Run("inference", {**vars(args), "output": None, "architecture": ARCHITECTURE})
    timed = alternate(works(args.images, args.batch_size), args.repeats)
    for name, taken in timed.items():
        run.add("images_per_s", round(args.images / taken.median_s, 1), work=name)
        run.add("first_s", round(taken.first_s, 2), work=name)
        forward = timed.get(f"forward_{name}")
        if forward:
            run.add("ratio", round(taken.median_s / forward.median_s, 3), work=name)
    output.report(run, args.output)


if __name__ == "__main__":
    main()
