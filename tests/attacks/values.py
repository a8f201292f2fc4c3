"""Weights of the right shapes with values that no network has."""

from __future__ import annotations

import numpy as np
from safetensors.numpy import load, save

from keras_compat.store.errors import BadWeightsError
from tests.attacks.archives import refused
from tests.attacks.harness import changed

WEIGHTS = "weights.safetensors"


def arrays(change):
    """The arrays are others, with checksums that fit."""

    def changed_bytes(old: bytes) -> bytes:
        found = {key: array.copy() for key, array in load(old).items()}
        change(found)
        return save(found)

    return changed(WEIGHTS, changed_bytes, fitting=True)


def value(name: str, value: float):
    return arrays(lambda found: found[name].flat.__setitem__(0, value))


ATTACKS = refused(
    BadWeightsError,
    {
        "not a number": value("logits/kernel", np.nan),
        "infinity": value("logits/bias", -np.inf),
        "a negative variance": value("stage3_block1_1_norm/moving_variance", -1.0),
        "weights of another type": arrays(
            lambda a: a.update({"logits/bias": a["logits/bias"].astype("float64")})
        ),
        "weights of another shape": arrays(
            lambda a: a.update({"logits/kernel": a["logits/kernel"].T.copy()})
        ),
        "weights without a name": arrays(lambda a: a.update({"": a.pop("logits/bias")})),
    },
)
