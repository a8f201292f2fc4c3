"""Which angles rotated images are shown at, known before a backend is loaded."""

from __future__ import annotations

from keras_compat.errors import unknown_name

RANDOM = "random"
ALL = "all"
ASSIGNMENTS = (RANDOM, "cyclic", ALL)


def check_rotation_assignment(name: str) -> None:
    """Raises an `InputError` for what is no way to assign angles to images.

    Args:
        name: see `keras_compat.auxiliary.RotationPrediction`.

    Example:

    >>> check_rotation_assignment("some")
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: unknown rotation_assignment 'some'; Known: all, cyclic, random
    """
    if name not in ASSIGNMENTS:
        raise unknown_name("rotation_assignment", name, ASSIGNMENTS)
