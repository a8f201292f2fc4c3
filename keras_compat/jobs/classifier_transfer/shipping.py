"""From trained parts to files for servers and phones, evaluated again from disk (Sec. 5.2)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from keras_compat import deployment, networks
from keras_compat.data import Examples

# A phone must answer as Keras does: a larger difference of a logit is a fault of the export.
LITERT_TOLERANCE = 1e-3


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


def write(pairs: dict[str, Shipped]) -> list[deployment.Exported]:
    """Writes every pair as a SavedModel and as two LiteRT files."""
    jobs = []
    for name, pair in pairs.items():
        pair.saved_model.parent.mkdir(parents=True, exist_ok=True)
        network = networks.recombine(pair.extractor, pair.head, name=f"{name}_network")
        jobs.append(deployment.SavedModelExport(network, pair.saved_model))
        jobs += deployment.litert_pair(pair.extractor, pair.head, *pair.litert)
    return deployment.export(jobs)


def run_again(pairs: dict[str, Shipped], test: Examples) -> dict[tuple[str, str], np.ndarray]:
    """Runs the written files in a fresh process; returns logits by extractor and runtime."""
    files: list[Path | tuple[Path, ...]] = []
    keys = []
    for name, pair in pairs.items():
        files += [pair.saved_model, pair.litert]
        keys += [(name, "saved_model"), (name, "litert")]
    return dict(zip(keys, deployment.evaluate_exported(files, test.images), strict=True))
