"""Measures size, speed and accuracy of LiteRT files in each quantization.

    python -m benchmarks.litert [--dataset=npz:PATH] [--output FILE]

Trains two extractors with one head (a phone's MobileNetV2 and a ResNet-8), gives each pair moving
statistics and writes all in float32, float16, dynamic and int8:

- size of the phone's extractor, head and whole network;
- latency of each, on one and on two threads, beside `keras.applications.MobileNetV2` (width 0.35)
  of the resolution at which it comes nearest to the network in operations, as ratios;
- accuracy on the test images, as parts and as one file, and of the other extractor with the
  phone's file of the head, whose moving statistics are of other features;
- interface: parts in int8 that meet in float32, as `deployment` writes them, beside parts that meet
  in int8 at one recorded scale, that of the phone's features, for all extractors and heads.

Files run in turn, many times over, so that a busy machine disturbs all alike; the median counts.
"""

from __future__ import annotations

import math
import os
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np

from benchmarks import output
from benchmarks.litert_scale import (
    Chain,
    extractor_in_int8,
    head_in_int8,
    meets_in_int8,
    with_ends,
)
from keras_compat import data, evaluation, networks, training
from keras_compat.deployment import LiteRTExport, evaluate_exported, export, litert_pair
from keras_compat.deployment.litert import QUANTIZATIONS
from keras_compat.layers import Augmentation
from keras_compat.reporting import Run

EXTRACTORS = {"phone": "mobilenet_v2_small@block2", "other": "resnet8@stage2"}
HEAD = "mobilenet_v2_small@block2"
BATCH, LEARNING_RATE, IMAGES, REPRESENTATIVE = 64, 0.01, 1024, 256
YARDSTICK_WIDTH = 0.35
PARTS = ("extractor", "head", "network")

Pair = tuple[keras.Model, keras.Model]


def train(dataset: data.Dataset, rounds: int) -> dict[str, Pair]:
    """Trains all extractors with one head; returns each with that head and moving statistics."""
    extractors = {
        name: networks.build_extractor(architecture, dataset.image_shape, seed=seed, name=name)
        for seed, (name, architecture) in enumerate(EXTRACTORS.items())
    }
    head = networks.build_head(HEAD, classes=len(dataset.class_names), seed=len(extractors))
    tasks = [
        training.Task(
            name, extractor, head, augmentation=Augmentation.for_dataset(dataset, seed=seed)
        )
        for seed, (name, extractor) in enumerate(extractors.items())
    ]
    trainer = training.Trainer(tasks)
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, rounds)
    trainer.compile(keras.optimizers.Adam(rate))
    examples = dict.fromkeys(extractors, dataset.train)
    trainer.fit(examples, batch_size=BATCH, steps_per_epoch=rounds, verbose=0)
    images = evaluation.some_images(dataset.train, IMAGES)
    return {n: evaluation.recalibrate(e, head, images) for n, e in extractors.items()}


def write(pairs: Mapping[str, Pair], representative: np.ndarray, folder: Path) -> None:
    """Writes the parts and the phone's network as one, in every quantization."""
    jobs = []
    for quantization in QUANTIZATIONS:
        how = {
            "quantization": quantization,
            "representative": representative if quantization == "int8" else None,
        }
        for name, pair in pairs.items():
            parts = (folder / f"{name}_{part}_{quantization}.tflite" for part in PARTS[:2])
            jobs += litert_pair(*pair, *parts, **how)
        whole = folder / f"phone_network_{quantization}.tflite"
        jobs.append(LiteRTExport(networks.recombine(*pairs["phone"]), whole, **how))
    export(jobs)


def write_yardstick(operations: int, folder: Path) -> tuple[int, int]:
    """Writes a MobileNetV2 of about as many operations; returns its resolution and its own."""

    def build(size: int) -> keras.Model:
        return keras.applications.MobileNetV2(
            (size, size, 3), alpha=YARDSTICK_WIDTH, weights=None, classes=10
        )

    # Operations grow with the number of pixels; 32 is the least that it takes.
    nearest = 224 * math.sqrt(operations / networks.count_flops(build(224)))
    size = max(32, 8 * round(nearest / 8))
    model = build(size)
    noise = np.random.default_rng(0).integers(0, 256, (16, size, size, 3), "uint8")
    jobs = [
        LiteRTExport(
            model,
            folder / f"mobilenet_v2_network_{quantization}.tflite",
            quantization=quantization,
            representative=noise if quantization == "int8" else None,
        )
        for quantization in QUANTIZATIONS
    ]
    export(jobs)
    return size, networks.count_flops(model)


def latencies(chains: Mapping[str, Chain], repeats: int) -> dict[str, float]:
    """Returns the median milliseconds of each chain on one input; all run in turn."""
    inputs = {}
    for name, chain in chains.items():
        shape = chain.parts[0][1]["shape"][1:]
        inputs[name] = np.random.default_rng(0).integers(0, 256, shape).astype("float32")
        chain(inputs[name])
    times: dict[str, list[float]] = {name: [] for name in chains}
    for _ in range(repeats):
        for name, chain in chains.items():
            begin = time.perf_counter()
            chain(inputs[name])
            times[name].append(time.perf_counter() - begin)
    return {name: 1000 * statistics.median(values) for name, values in times.items()}


def measure_files(run: Run, folder: Path, repeats: int) -> None:
    """Adds size and latency of the phone's files, and latency as a part of the yardstick's."""
    for threads in (1, 2):
        files = {
            (name, part, quantization): folder / f"{name}_{part}_{quantization}.tflite"
            for quantization in QUANTIZATIONS
            for name, part in (*(("phone", part) for part in PARTS), ("mobilenet_v2", "network"))
        }
        chains = {key: Chain([file.read_bytes()], threads) for key, file in files.items()}
        found = latencies(chains, repeats)
        for (name, part, quantization), value in found.items():
            keys = {"variant": name, "part": part, "quantization": quantization}
            run.add("latency_ms", round(value, 4), **keys, threads=threads)
            yardstick = found["mobilenet_v2", "network", quantization]
            if name == "phone":
                ratio = round(value / yardstick, 3)
                run.add("latency_to_mobilenet_v2", ratio, **keys, threads=threads)
            if threads == 1:
                run.add("bytes", files[name, part, quantization].stat().st_size, **keys)


def measure_accuracy(run: Run, folder: Path, test: data.Examples) -> None:
    """Adds the accuracy of every quantization, in parts and as one file."""
    files = {}
    for quantization in QUANTIZATIONS:
        for name in EXTRACTORS:
            files[name, "parts", quantization] = (f"{name}_extractor", f"{name}_head")
        files["other", "phone_head", quantization] = ("other_extractor", "phone_head")
        files["phone", "network", quantization] = ("phone_network",)
    places = [
        tuple(folder / f"{stem}_{quantization}.tflite" for stem in stems)
        for (_, _, quantization), stems in files.items()
    ]
    for key, logits in zip(files, evaluate_exported(places, test.images), strict=True):
        accuracy = evaluation.accuracy(logits, test.labels)
        keys = dict(zip(("variant", "part", "quantization"), key, strict=True))
        run.add("accuracy", round(accuracy, 4), **keys)


def measure_interface(
    run: Run,
    pairs: Mapping[str, Pair],
    representative: np.ndarray,
    folder: Path,
    test: data.Examples,
    repeats: int,
) -> None:
    """Adds accuracy and latency of int8 parts that meet in float32 and in int8."""
    images = representative.astype("float32")
    features = {n: pair[0].predict(images, verbose=0) for n, pair in pairs.items()}
    low, high = float(features["phone"].min()), float(features["phone"].max())
    jobs = [
        LiteRTExport(
            head,
            folder / f"{name}_scaled_head.tflite",
            features[name].shape[1:],
            "features",
            quantization="int8",
            representative=with_ends(features[name], low, high),
        )
        for name, (_, head) in pairs.items()
    ]
    export(jobs)
    chains = {}
    for name in pairs:
        extractor, head = (
            (folder / f"{name}_{part}_int8.tflite").read_bytes() for part in PARTS[:2]
        )
        chains[name, "float32"] = Chain([extractor, head])
        head, scale = head_in_int8((folder / f"{name}_scaled_head.tflite").read_bytes())
        chains[name, "int8"] = Chain([extractor_in_int8(extractor, scale), head])
        assert meets_in_int8(chains[name, "int8"])
        run.add("feature_scale", round(scale[0], 6), variant=name)
    found = latencies(chains, repeats)
    for (name, interface), chain in chains.items():
        keys = {"variant": name, "interface": interface}
        logits = np.stack([chain(image) for image in test.images])
        run.add("accuracy", round(evaluation.accuracy(logits, test.labels), 4), **keys)
        run.add("latency_ms", round(found[name, interface], 4), **keys, threads=1)
        ratio = found[name, interface] / found[name, "float32"]
        run.add("latency_to_float32_interface", round(ratio, 3), **keys, threads=1)


def main() -> None:
    parser = output.make_parser(__doc__)
    parser.add_argument("--dataset", default="digits", help="digits (16 x 16), or npz:PATH, ...")
    parser.add_argument("--rounds", type=int, default=600, help="of training (600)")
    parser.add_argument("--repeats", type=int, default=300, help="measurements a file (300)")
    args = parser.parse_args()
    size = {"image_size": 16} if args.dataset == "digits" else {}
    dataset = data.load(args.dataset, **size)
    config = {
        "extractors": EXTRACTORS,
        "head": HEAD,
        "batch_size": BATCH,
        "representative": REPRESENTATIVE,
        "yardstick": f"keras.applications.MobileNetV2, width {YARDSTICK_WIDTH}",
    }
    run = Run("litert", {**vars(args), "output": None, **config})
    run.data[dataset.name] = dataset.fingerprint()
    with run.phase("train"):
        pairs = train(dataset, args.rounds)
    representative = evaluation.some_images(dataset.train, REPRESENTATIVE)
    network = networks.recombine(*pairs["phone"])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with run.phase("write"):
            write(pairs, representative, folder)
            operations = networks.count_flops(network)
            resolution, cost = write_yardstick(operations, folder)
        run.add("operations", operations, variant="phone")
        run.add("operations", cost, variant="mobilenet_v2")
        run.add("resolution", resolution, variant="mobilenet_v2")
        with run.phase("measure"):
            measure_files(run, folder, args.repeats)
            measure_accuracy(run, folder, dataset.test)
            measure_interface(run, pairs, representative, folder, dataset.test, args.repeats)
    output.report(run, args.output)


if __name__ == "__main__":
    main()
