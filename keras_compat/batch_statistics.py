"""What normalization can take its statistics over in training, known before a backend is loaded."""

from __future__ import annotations

from keras_compat.errors import unknown_name

GLOBAL = "global"
DEVICE = "device"


def check_statistics_over(name: str) -> None:
    """Raises an `InputError` for what statistics cannot be taken over.

    Args:
        name: `"global"`, the batch of all devices, or `"device"`, the part of one.

    Example:

    >>> check_statistics_over("batch")
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: unknown value of batch_statistics_over 'batch'; \
Known: device, global
    """
    if name not in (GLOBAL, DEVICE):
        raise unknown_name("value of batch_statistics_over", name, (GLOBAL, DEVICE))
