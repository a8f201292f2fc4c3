"""Measures the share of a round that waits for data, by the source of the images.

    python -m benchmarks.input [--output FILE]

Trains two plain ResNet-8 (32 x 32 colour images, batch 128) on the same random images from several
sources and prints, as JSON, the time of a round, the time to make one round's minibatches with
nothing beside it, and the share of the round that would be waiting if the two did not overlap (on
TensorFlow `fit` makes the next ones meanwhile):

- held: the same few minibatches again and again, made beforehand: nothing to wait for;
- arrays: images in memory, such as those of `npz:` and of most TensorFlow Datasets sets;
- folder: PNG files of a `folder:`, which are read into memory when they are loaded;
- streamed: a TensorFlow Datasets set that is read as it is needed (on TensorFlow).

One trainer, and so one compiled program, takes turns on all sources; medians count.
"""

from __future__ import annotations

import os
import pathlib
import tempfile
import time
from collections.abc import Mapping
from statistics import median
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np
from PIL import Image

from benchmarks import output
from keras_compat import data, networks
from keras_compat.data.quiet_tensorflow import import_tensorflow
from keras_compat.layers import Augmentation
from keras_compat.reporting import Run
from keras_compat.training import Task, Trainer
from keras_compat.training.batches import JointBatches, task_batches

SHAPE, CLASSES, BATCH = (32, 32, 3), 10, 128
# In which `fit` starts, and the pipeline of a source fills.
FIRST_ROUNDS = 5
HELD = 4


def write_folder(images: np.ndarray, labels: np.ndarray, folder: pathlib.Path) -> str:
    """Writes PNG files, and returns the spec of their folder."""
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        for split in ("train", "test")[: 1 + (number < CLASSES)]:
            place = folder / split / f"class_{label}"
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(place / f"{number}.png")
    return f"folder:{folder}"


def write_tfds(images: np.ndarray, labels: np.ndarray, folder: pathlib.Path) -> str:
    """Writes a set in the form of TensorFlow Datasets, and returns its spec."""
    import tensorflow_datasets as tfds

    features = {
        "image": tfds.features.Image(shape=SHAPE),
        "label": tfds.features.ClassLabel(num_classes=CLASSES),
    }
    rows = [
        (number, {"image": image, "label": int(label)})
        for number, (image, label) in enumerate(zip(images, labels, strict=True))
    ]
    tfds.dataset_builders.store_as_tfds_dataset(
        name="input_benchmark",
        version="1.0.0",
        features=tfds.features.FeaturesDict(features),
        split_datasets={"train": rows, "test": rows[: 2 * CLASSES]},
        data_dir=folder,
    )
    return "input_benchmark"


def sources(count: int, place: pathlib.Path) -> dict[str, Any]:
    """Returns the training images of each source by its name."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (count, *SHAPE), np.uint8)
    labels = np.arange(count) % CLASSES
    arrays = data.Examples(images, labels)
    batches = arrays.batches(BATCH, seed=0)
    found = {
        "held": [batches[i] for i in range(HELD)],
        "arrays": arrays,
        "folder": data.load(write_folder(images, labels, place / "folder")).train,
    }
    if keras.backend.backend() == "tensorflow":
        spec = write_tfds(images, labels, place / "tfds")
        streamed = data.load(spec, data_dir=str(place / "tfds"), memory_limit_bytes=0)
        found["streamed"] = streamed.train
    return found


def make_trainer() -> Trainer:
    """Returns two plain networks, compiled as the apps compile them."""
    tasks = [
        Task(
            name,
            networks.build_extractor("resnet8@stage2", SHAPE, seed=seed, name=f"{name}_extractor"),
            networks.build_head("resnet8@stage2", classes=CLASSES, seed=seed, name=f"{name}_head"),
            augmentation=Augmentation.for_photographs(seed, SHAPE[0]),
        )
        for seed, name in enumerate("ab")
    ]
    trainer = Trainer(tasks)
    trainer.compile(keras.optimizers.Adam(0.001))
    return trainer


def round_time(trainer: Trainer, source: Any, rounds: int) -> float:
    """Returns the mean seconds of a round within `fit`."""
    ends: list[float] = []
    clock = keras.callbacks.LambdaCallback(
        # The figures are there when the round is done.
        on_train_batch_end=lambda batch, logs: (
            float(logs["loss"]),
            ends.append(time.perf_counter()),
        )
    )
    trainer.fit(
        dict.fromkeys(trainer.tasks, source),
        batch_size=BATCH,
        steps_per_epoch=FIRST_ROUNDS + rounds,
        verbose=0,
        callbacks=[clock],
    )
    return (ends[-1] - ends[FIRST_ROUNDS - 1]) / rounds


def making_time(source: Any, rounds: int) -> float:
    """Returns the mean seconds that the minibatches of a round take with nothing beside it."""

    def make(start: int) -> Any:
        return task_batches(source, BATCH, 0, start)

    batches = JointBatches({"a": make, "b": make}, FIRST_ROUNDS + rounds)
    for number in range(FIRST_ROUNDS):
        batches[number]
    begin = time.perf_counter()
    for number in range(FIRST_ROUNDS, FIRST_ROUNDS + rounds):
        batches[number]
    return (time.perf_counter() - begin) / rounds


def measure(found: Mapping[str, Any], rounds: int, turns: int) -> dict[str, tuple[float, float]]:
    """Returns, by source, the median time of a round and of making its minibatches."""
    trainer = make_trainer()
    round_time(trainer, found["held"], 1)  # traces and compiles the step
    taken: dict[str, list[float]] = {name: [] for name in found}
    made: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(turns):
        for name, source in found.items():
            taken[name].append(round_time(trainer, source, rounds))
            made[name].append(making_time(source, rounds))
    return {name: (median(taken[name]), median(made[name])) for name in found}


def main() -> None:
    parser = output.make_parser(__doc__)
    parser.add_argument("--images", type=int, default=2000, help="of each source (2000)")
    parser.add_argument("--rounds", type=int, default=15, help="of a turn (15)")
    parser.add_argument("--turns", type=int, default=7, help="of each source (7)")
    args = parser.parse_args()
    import_tensorflow()
    settings = {"images": args.images, "rounds": args.rounds, "turns": args.turns}
    run = Run("input", {**settings, "batch_size": BATCH, "image_shape": list(SHAPE)})
    with tempfile.TemporaryDirectory() as place:
        found = measure(sources(args.images, pathlib.Path(place)), args.rounds, args.turns)
    for name, (taken, made) in found.items():
        run.add("round_ms", round(1000 * taken, 2), source=name)
        run.add("making_ms", round(1000 * made, 2), source=name)
        run.add("waiting_share_at_most", round(made / taken, 4), source=name)
    output.report(run, args.output)


if __name__ == "__main__":
    main()
