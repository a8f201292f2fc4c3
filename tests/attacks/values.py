"""Weights of the right shapes with values that no network has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import load, save

from keras_compat.store.errors import BadWeightsError
from tests.attacks.harness import rewrite, run

WEIGHTS = "weights.safetensors"


def value(name: str, value: float):
    """One value is another, with checksums that fit."""

    def attack(place: Path) -> None:
        arrays = {key: array.copy() for key, array in load((place / WEIGHTS).read_bytes()).items()}
        arrays[name].flat[0] = value
        (place / WEIGHTS).write_bytes(save(arrays))
        rewrite(place, lambda manifest: None)

    return attack


def other(change):
    """The arrays are others, with checksums that fit."""

    def attack(place: Path) -> None:
        arrays = dict(load((place / WEIGHTS).read_bytes()))
        change(arrays)
        (place / WEIGHTS).write_bytes(save(arrays))
        rewrite(place, lambda manifest: None)

    return attack


NORM = "stage3_block1_1_norm"

ATTACKS = {
    "not a number": (value("logits/kernel", np.nan), BadWeightsError),
    "infinity": (value("logits/bias", -np.inf), BadWeightsError),
    "a negative variance": (value(f"{NORM}/moving_variance", -1.0), BadWeightsError),
    "weights of another type": (
        other(lambda a: a.update({"logits/bias": a["logits/bias"].astype("float64")})),
        BadWeightsError,
    ),
    "weights of another shape": (
        other(lambda a: a.update({"logits/kernel": a["logits/kernel"].T.copy()})),
        BadWeightsError,
    ),
    "weights without a name": (
        other(lambda a: a.update({"": a.pop("logits/bias")})),
        BadWeightsError,
    ),
}

if __name__ == "__main__":
    run(ATTACKS)
