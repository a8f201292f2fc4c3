"""Names to choose from in training, which are checked before a backend is loaded."""

from __future__ import annotations

from collections.abc import Collection

from keras_compat.errors import unknown_name

FULL = "float32"
PRECISIONS = (FULL, "mixed_bfloat16", "mixed_float16")
"""Precisions of a training step, see `keras_compat.training.Precision`."""

RANDOM = "random"
ALL = "all"
ROTATION_ASSIGNMENTS = (RANDOM, "cyclic", ALL)
"""Ways to assign angles to images, see `keras_compat.auxiliary.RotationPrediction`."""

GLOBAL = "global"
STATISTICS_OVER = (GLOBAL, "device")
"""Batches that normalization takes its statistics over: that of all devices, or of each one."""

SCHEDULES = ("steps", "cosine")
OPTIMIZERS = ("adam", "sgd")


def check_choice(kind: str, name: str, known: Collection[str]) -> None:
    """Raises an `InputError` for a name that is not among the known ones.

    Example:

    >>> check_choice("precision", "half", PRECISIONS)
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: unknown precision 'half'; Known: float32, mixed_bfloat16, \
mixed_float16
    """
    if name not in known:
        raise unknown_name(kind, name, known)
