"""The registry of last steps of an extractor, applied to its features.

To add one, register a function from a symbolic tensor to another of the same shape, here or in a
file that `keras_compat/networks/__init__.py` imports.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras_compat.layers import UnitLength
from keras_compat.registry import Registry

FEATURES: Registry[Callable[[Any], Any]] = Registry("features")


@FEATURES.register("plain")
def plain(x: Any) -> Any:
    """Returns the features unchanged.

    Example:

    >>> plain(1.0)
    1.0
    """
    return x


@FEATURES.register("unit_length")
def unit_length(x: Any) -> Any:
    """Gives the features of each position unit length over the channels (paper, B.1).

    Example:

    >>> import keras
    >>> unit_length(keras.Input((8, 8, 64))).shape
    (None, 8, 8, 64)
    """
    return UnitLength(name="unit_length")(x)
