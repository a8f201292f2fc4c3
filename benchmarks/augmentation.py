"""Augmentation inside the compiled step against augmentation in `tf.data`.

    python -m benchmarks.augmentation [--output FILE]

Times training steps of a small convolutional network on random 32 x 32 colour images, batch 128,
TensorFlow backend, and prints milliseconds a step and ratios as JSON:

- none: no augmentation;
- in_step: `keras_compat.data.augmentation.Augmentation` as the network's first layer;
- tf_data: the same layer in `Dataset.map` before the prefetch;
- keras_tf_data: what a user would pick instead, Keras' own random layers in `Dataset.map`.

Each variant runs in turn, several times over, so that a busy machine disturbs all alike; the
median counts.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import statistics
import time
from collections.abc import Callable, Iterator

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf

from keras_compat.data.augmentation import Augmentation

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


def measure(steps: int, repeats: int) -> list[dict[str, object]]:
    """Returns one record a figure: milliseconds a step, and its ratio to augmenting in the step."""
    records = []
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
        times: dict[str, list[float]] = {name: [] for name in variants}
        for repeat in range(repeats + 1):
            for name, (model, data) in variants.items():
                begin = time.perf_counter()
                for _ in range(steps):
                    model.train_on_batch(*next(data))
                if repeat:  # the first one compiles
                    times[name].append((time.perf_counter() - begin) / steps * 1000)
        medians = {name: statistics.median(values) for name, values in times.items()}
        for name, value in medians.items():
            common = {"preset": preset, "variant": name}
            records.append({"metric": "step_ms", **common, "value": round(value, 3)})
            ratio = value / medians["in_step"]
            records.append({"metric": "step_ratio_to_in_step", **common, "value": round(ratio, 3)})
    return records


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=40, help="steps a measurement (40)")
    parser.add_argument("--repeats", type=int, default=5, help="measurements a variant (5)")
    parser.add_argument("--output", type=pathlib.Path, help="write the JSON here as well")
    args = parser.parse_args()
    result = {
        "benchmark": "augmentation",
        "config": {"image_size": SIZE, "batch_size": BATCH, "steps": args.steps},
        "versions": {"keras": keras.__version__, "tensorflow": tf.__version__},
        "hardware": {
            "cores": os.cpu_count(),
            "gpus": len(tf.config.list_physical_devices("GPU")),
        },
        "results": measure(args.steps, args.repeats),
    }
    text = json.dumps(result, indent=1)
    print(text)
    if args.output:
        args.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
