"""The precisions in which networks can be trained, known before a backend is loaded."""

from __future__ import annotations

from keras_compat.errors import unknown_name

FULL = "float32"
FLOAT16 = "mixed_float16"
PRECISIONS = (FULL, "mixed_bfloat16", FLOAT16)


def check_precision(name: str) -> None:
    """Raises an `InputError` for what is not a precision to train in.

    Example:

    >>> check_precision("half")
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: unknown precision 'half'; Known: float32, mixed_bfloat16, \
mixed_float16
    """
    if name not in PRECISIONS:
        raise unknown_name("precision", name, PRECISIONS)
