"""From trained parts to files for servers and phones, evaluated again from disk (Sec. 5.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from keras_compat import deployment, networks
from keras_compat.data import Examples, StreamedExamples, stratified_split
from keras_compat.deployment.optional_dependencies import installed

# A phone must answer as Keras does: larger differences are a fault of the export.
LOGIT_TOLERANCE = 1e-3
ACCURACY_TOLERANCE = 0.005
# Files are checked on so many test images where those are not in memory.
CHECKED_STREAMED_IMAGES = 2_000
EVALUATION_BATCH = 500


@dataclass(frozen=True)
class Shipped:
    """A recombined pair with moving statistics, and where its files lie.

    Attributes:
        extractor: with moving statistics.
        head: with moving statistics that fit this extractor.
        saved_model: the folder for servers.
        litert: the extractor's and the head's files for phones.
    """

    extractor: keras.Model
    head: keras.Model
    saved_model: Path
    litert: tuple[Path, Path]


# By variant of the update and name of the extractor.
Pairs = dict[tuple[str, str], Shipped]


def recalibrated_pairs(
    extractors: dict[str, keras.Model], head: keras.Model, images: np.ndarray, folder: Path
) -> dict[str, Shipped]:
    """Re-estimates moving statistics for each extractor with the head; writes nothing."""
    pairs = {}
    for name, extractor in extractors.items():
        first, second = deployment.recalibrate(extractor, head, images)
        place = folder / name
        pairs[name] = Shipped(
            first,
            second,
            place / "saved_model",
            (place / "extractor.tflite", place / "head.tflite"),
        )
    return pairs


def write(pairs: Pairs, class_names: Sequence[str]) -> list[deployment.Exported]:
    """Writes every pair as a SavedModel and as two LiteRT files, the head's with its labels."""
    jobs: list[deployment.Export] = []
    for (_, name), pair in pairs.items():
        pair.saved_model.parent.mkdir(parents=True, exist_ok=True)
        network = networks.recombine(pair.extractor, pair.head, name=f"{name}_network")
        jobs.append(deployment.SavedModelExport(network, pair.saved_model))
        jobs += deployment.litert_pair(pair.extractor, pair.head, *pair.litert, class_names)
    return deployment.export(jobs)


def missing_packages() -> list[str]:
    """Returns the packages that files for servers and phones need and that are not installed."""
    return [package for package in ("tensorflow", "ai_edge_litert") if not installed(package)]


def images_to_check(test: Examples | StreamedExamples) -> Examples | StreamedExamples:
    """Returns the test images that the files are run on: all, or 2,000 of a set that streams."""
    if isinstance(test, Examples) or len(test) <= CHECKED_STREAMED_IMAGES:
        return test
    return test.subset(stratified_split(test.labels, [CHECKED_STREAMED_IMAGES], seed=0)[0])


def keras_logits(pair: Shipped, images: np.ndarray) -> np.ndarray:
    """Returns Keras' logits in the order of the images; moving statistics need no mixing."""
    logits = []
    for start in range(0, len(images), EVALUATION_BATCH):
        batch = np.asarray(images[start : start + EVALUATION_BATCH], "float32")
        features = pair.extractor.predict_on_batch(batch)
        logits.append(np.asarray(pair.head.predict_on_batch(features), "float32"))
    return np.concatenate(logits)


def run_again(pairs: Pairs, images: np.ndarray) -> dict[tuple[str, str, str], np.ndarray]:
    """Runs the written files in a fresh process; returns logits by variant, name and runtime."""
    files: list[Path | tuple[Path, ...]] = []
    keys = []
    for (variant, name), pair in pairs.items():
        files += [pair.saved_model, pair.litert]
        keys += [(variant, name, "saved_model"), (variant, name, "litert")]
    return dict(zip(keys, deployment.evaluate_exported(files, images), strict=True))
