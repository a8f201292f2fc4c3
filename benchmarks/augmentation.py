"""Compares augmentation inside the compiled step with augmentation in `tf.data`.

    python -m benchmarks.augmentation [--output FILE]

Times training steps of a small convolutional network on random 32 x 32 colour images, batch 128,
TensorFlow backend, and prints milliseconds a step and ratios as JSON:

- none: no augmentation;
- in_step: `keras_compat.layers.Augmentation` as the network's first layer;
- tf_data: the same layer in `Dataset.map` before the prefetch;
- keras_tf_data: what a user would pick instead, Keras' own random layers in `Dataset.map`.

Each variant runs in turn, several times over, so that a busy machine disturbs all alike; the
median counts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf

from benchmarks import output
from benchmarks.alternating import alternate
from keras_compat.layers import Augmentation
from keras_compat.reporting import Run

SIZE, BATCH = 32, 128


def presets() -> dict[str, tuple[Callable[[], keras.Layer], list[keras.Layer]]]:
    """Returns, for each preset, our layer and Keras' layers that do as much."""
    layers = keras.layers
    photographs = [
        layers.RandomFlip("horizontal"),
        layers.RandomTranslation(4 / SIZE, 4 / SIZE, interpolation="nearest"),
    ]
    digits = [
        layers.RandomTranslation(1 / 8, 1 / 8, fill_mode="nearest"),
        layers.RandomRotation(0.2 / (2 * np.pi), fill_mode="nearest"),
        layers.RandomZoom(0.15, fill_mode="nearest"),
    ]
    return {
        "photographs": (lambda: Augmentation.for_photographs(0, SIZE), photographs),
        "digits": (lambda: Augmentation.for_digits(0, SIZE), digits),
    }


def network(first: keras.Layer | None) -> keras.Model:
    """Returns a small network, with augmentation as its first layer if it is given one."""
    layers = [] if first is None else [first]
    model = keras.Sequential(
        [keras.Input((SIZE, SIZE, 3), dtype="uint8" if first else "float32"), *layers]
        + [keras.layers.Rescaling(1 / 127.5, -1)]
        + [keras.layers.Conv2D(32, 3, strides=2, activation="relu") for _ in range(2)]
        + [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(10)]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, jit_compile=False)
    return model


def batches(mapped: Callable | None) -> Iterator:
    """Returns endless minibatches, augmented in parallel if a function is given."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (2048, SIZE, SIZE, 3)).astype("uint8")
    data = tf.data.Dataset.from_tensor_slices((images, random.integers(0, 10, 2048)))
    data = data.shuffle(2048, seed=0).repeat().batch(BATCH, drop_remainder=True)
    if mapped is not None:
        data = data.map(lambda x, y: (mapped(x), y), num_parallel_calls=tf.data.AUTOTUNE)
    return iter(data.prefetch(tf.data.AUTOTUNE))


def train(steps: int, model: keras.Model, data: Iterator) -> None:
    """Takes some steps."""
    for _ in range(steps):
        model.train_on_batch(*next(data))


def measure(run: Run, steps: int, repeats: int) -> None:
    """Adds milliseconds a step, and its ratio to augmenting in the step."""
    for preset, (ours, theirs) in presets().items():
        outside = ours()
        keras_layers = keras.Sequential(theirs)
        variants = {
            "none": (network(None), batches(None)),
            "in_step": (network(ours()), batches(None)),
            "tf_data": (network(None), batches(lambda x: outside(x, training=True))),  # noqa: B023
            "keras_tf_data": (
                network(None),
                batches(lambda x: keras_layers(tf.cast(x, "float32"), training=True)),  # noqa: B023
            ),
        }
        works = {name: partial(train, steps, *made) for name, made in variants.items()}
        timed = alternate(works, repeats)
        for name, taken in timed.items():
            keys = {"preset": preset, "variant": name}
            run.add("step_ms", round(taken.median_s / steps * 1000, 3), **keys)
            ratio = taken.median_s / timed["in_step"].median_s
            run.add("step_ratio_to_in_step", round(ratio, 3), **keys)


def main() -> None:
    parser = output.make_parser(__doc__)
    parser.add_argument("--steps", type=int, default=40, help="steps a measurement (40)")
    parser.add_argument("--repeats", type=int, default=5, help="measurements a variant (5)")
    args = parser.parse_args()
    how = {"image_size": SIZE, "batch_size": BATCH, "steps": args.steps, "repeats": args.repeats}
    run = Run("augmentation", how)
    measure(run, args.steps, args.repeats)
    output.report(run, args.output)


if __name__ == "__main__":
    main()
