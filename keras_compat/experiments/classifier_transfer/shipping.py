"""Files for servers and phones, made of trained parts and evaluated from disk (Sec. 5.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_compat import deployment, evaluation, networks
from keras_compat.data import Examples, StreamedExamples, stratified_split
from keras_compat.deployment.optional_dependencies import installed
from keras_compat.experiments.classifier_transfer.build import Parts
from keras_compat.experiments.classifier_transfer.execute import EVALUATION_BATCH
from keras_compat.experiments.classifier_transfer.preparation import Prepared, load_prepared
from keras_compat.experiments.classifier_transfer.settings import Settings
from keras_compat.experiments.loading import read
from keras_compat.experiments.runner.terminal import Terminal
from keras_compat.reporting import Run

# A phone must answer as Keras does: larger differences are a fault of the export.
LOGIT_TOLERANCE = 1e-3
ACCURACY_TOLERANCE = 0.005
# Files are checked on so many test images where those are not in memory.
CHECKED_STREAMED_IMAGES = 2_000


class Shipped(NamedTuple):
    """Recombined pair with moving statistics, and the folder of its files."""

    extractor: keras.Model
    head: keras.Model
    place: Path

    @property
    def files(self) -> dict[str, Path | tuple[Path, ...]]:
        """Paths of the files by runtime: a folder for servers, a pair of files for phones."""
        litert = self.place / "extractor.tflite", self.place / "head.tflite"
        return {"saved_model": self.place / "saved_model", "litert": litert}


Pairs = dict[tuple[str, str], Shipped]
"""Pairs by the variant of the update and the name of the extractor."""


def ship(
    config: Settings, updated: Mapping[str, Parts], folder: Path, terminal: Terminal, record: Run
) -> None:
    """Writes the files of all pairs, and evaluates them from disk in a fresh process.

    The record gains accuracies, differences from Keras, and durations.
    """
    prepared = load_prepared(config, config.seed)
    images, _ = read(prepared.recalibration)
    pairs: Pairs = {}
    for variant, parts in updated.items():
        for name, extractor in parts.extractors.items():
            pair = deployment.recalibrate(extractor, parts.head, images)
            pairs[variant, name] = Shipped(*pair, folder / variant / name)
    terminal.line("Writing SavedModels and LiteRT files")
    with record.phase("export"):
        for written in write(pairs, prepared.dataset.class_names):
            relative = written.path.relative_to(folder.parent)
            terminal.line(f"{relative}: {written.size_bytes / 1024:,.0f} KiB")
    terminal.line("Running the files in a fresh process, on the test images")
    with record.phase("run_again"):
        _evaluate(config, prepared, pairs, terminal, record)


def _evaluate(
    config: Settings, prepared: Prepared, pairs: Pairs, terminal: Terminal, record: Run
) -> None:
    test = prepared.test
    checked = images_to_check(test)
    keys: dict[str, Any] = {
        "dataset": prepared.dataset.name,
        "head": config.reference,
        "stage": "updated",
        "statistics": "moving",
        "seed": config.seed,
    }
    if len(checked) < len(test):
        terminal.line(f"on {len(checked):,} of the {len(test):,}, as they are not held")
        keys["images"] = len(checked)
    images, labels = read(checked)
    expected = {key: _keras_logits(pair, images) for key, pair in pairs.items()}
    for (variant, name, runtime), logits in run_again(pairs, images).items():
        accuracy = evaluation.accuracy(logits, labels)
        keys.update(extractor=name, variant=variant, runtime=runtime)
        record.add("accuracy", accuracy, subset="all", **keys)
        here = expected[variant, name]
        differences = {
            "max_logit_difference": (float(np.max(np.abs(logits - here))), LOGIT_TOLERANCE),
            "accuracy_difference": (
                abs(accuracy - evaluation.accuracy(here, labels)),
                ACCURACY_TOLERANCE,
            ),
        }
        for metric, (difference, most) in differences.items():
            record.add(metric, difference, **keys)
            if difference > most:
                terminal.line(
                    f"warning: {name} ({variant}) as {runtime} differs from Keras: {metric} is "
                    f"{difference:.2g}; expected at most {most:g}"
                )


def write(pairs: Pairs, class_names: Sequence[str]) -> list[deployment.Exported]:
    """Writes every pair as a SavedModel and as two LiteRT files, the head's with its labels."""
    jobs: list[deployment.Export] = []
    for (_, name), pair in pairs.items():
        pair.place.mkdir(parents=True, exist_ok=True)
        network = networks.recombine(pair.extractor, pair.head, name=f"{name}_network")
        jobs.append(deployment.SavedModelExport(network, pair.files["saved_model"]))
        files = pair.files["litert"]
        jobs += deployment.litert_pair(pair.extractor, pair.head, *files, class_names)
    return deployment.export(jobs)


def missing_packages() -> list[str]:
    """Returns the packages that files for servers and phones need and that are not installed."""
    return [package for package in ("tensorflow", "ai_edge_litert") if not installed(package)]


def images_to_check(test: Examples | StreamedExamples) -> Examples | StreamedExamples:
    """Returns the test images for the files: all, or 2,000 of a set that streams."""
    if isinstance(test, Examples) or len(test) <= CHECKED_STREAMED_IMAGES:
        return test
    return test.subset(stratified_split(test.labels, [CHECKED_STREAMED_IMAGES], seed=0)[0])


def _keras_logits(pair: Shipped, images: np.ndarray) -> np.ndarray:
    """Returns Keras' logits in the order of the images; moving statistics need no mixing."""
    logits = []
    for start in range(0, len(images), EVALUATION_BATCH):
        batch = np.asarray(images[start : start + EVALUATION_BATCH], "float32")
        features = pair.extractor.predict_on_batch(batch)
        logits.append(np.asarray(pair.head.predict_on_batch(features), "float32"))
    return np.concatenate(logits)


def run_again(pairs: Pairs, images: np.ndarray) -> dict[tuple[str, str, str], np.ndarray]:
    """Runs the written files in a fresh process; returns logits by variant, name and runtime."""
    files = {
        (*key, runtime): file for key, pair in pairs.items() for runtime, file in pair.files.items()
    }
    logits = deployment.evaluate_exported(list(files.values()), images)
    return dict(zip(files, logits, strict=True))
