"""Reading and writing of `weights.safetensors`."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from keras_compat.store.errors import BadWeightsError
from keras_compat.store.memory import check_memory

# Bytes of a tensor's name, type, shape and offsets in the header.
_LARGEST_ENTRY = 400
_LARGEST_METADATA = 65_536

Arrays = Mapping[str, np.ndarray]
Shapes = dict[str, tuple[int, ...]]


def write_weights(arrays: Arrays, what: str) -> bytes:
    """Returns the content of `weights.safetensors`; equal arrays give equal bytes.

    Args:
        arrays: float32 arrays by name.

    Raises:
        BadWeightsError: If a value is not finite, or a variance is negative.
        TooLargeError: If there is too little memory.

    Example:

    >>> len(write_weights({"kernel": np.zeros((2, 3), "float32")}, "phone@1")) > 24
    True
    """
    from safetensors.numpy import save

    check_values(arrays, what)
    check_memory(2 * sum(array.nbytes for array in arrays.values()), f"weights of {what}")
    return save({name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays)})


def read_weights(content: bytes, expected: Shapes, what: str) -> dict[str, np.ndarray]:
    """Reads the content of a `weights.safetensors`, also from strangers.

    Args:
        expected: Name and shape of each weight.

    Returns:
        float32 arrays by name.

    Raises:
        BadWeightsError: If it is no such file, or holds other weights than expected, values that
            are not finite, or negative variances.
        TooLargeError: If there is too little memory.

    Source: the format, https://huggingface.co/docs/safetensors.

    Example:

    >>> read_weights(b"pickle", {}, "phone@1")
    Traceback (most recent call last):
        ...
    keras_compat.store.errors.BadWeightsError: weights of phone@1 are no safetensors file ...
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    check_size(len(content), expected, what)
    # The library copies the bytes; on too little memory it prints a stack trace.
    check_memory(len(content), f"weights of {what}")
    try:
        arrays = load(content)
    # Bytes that are not UTF-8, and types that NumPy lacks, raise other errors.
    except (SafetensorError, ValueError, TypeError, KeyError, AttributeError) as error:
        told = " ".join(str(error).split())[:200]
        raise BadWeightsError(f"weights of {what} are no safetensors file ({told})") from None
    names = set(arrays)
    if names != set(expected):
        missing, extra = sorted(set(expected) - names), sorted(names - set(expected))
        first = f"lack {missing[0]!r}" if missing else f"have {extra[0][:100]!r}"
        raise BadWeightsError(f"weights of {what} {first}; expected those of its architecture")
    for name, array in arrays.items():
        if array.dtype != np.float32 or array.shape != expected[name]:
            raise BadWeightsError(
                f"{name!r} of {what} is {array.dtype} {array.shape}; expected float32 "
                f"{expected[name]}"
            )
    check_values(arrays, what)
    return arrays


def bytes_of(shapes: Shapes) -> int:
    """Returns the size in bytes of float32 weights of these shapes.

    Example:

    >>> bytes_of({"kernel": (2, 3), "bias": (3,)})
    36
    """
    return 4 * sum(math.prod(shape) for shape in shapes.values())


def check_size(size: int, expected: Shapes, what: str) -> None:
    """Raises `BadWeightsError` if a file of that size cannot hold exactly these weights.

    Example:

    >>> check_size(10**12, {"kernel": (2, 3)}, "phone@1")
    Traceback (most recent call last):
        ...
    keras_compat.store.errors.BadWeightsError: weights of phone@1 have 1000000000000 bytes; ...
    """
    least = bytes_of(expected)
    most = least + _LARGEST_METADATA + _LARGEST_ENTRY * len(expected)
    if not least <= size <= most:
        raise BadWeightsError(
            f"weights of {what} have {size} bytes; those of its architecture take {least}"
        )


def check_values(arrays: Arrays, what: str) -> None:
    """Raises `BadWeightsError` if an array holds values that no trained network has.

    Example:

    >>> check_values({"norm/moving_variance": np.array([-1.0])}, "phone@1")
    Traceback (most recent call last):
        ...
    keras_compat.store.errors.BadWeightsError: 'norm/moving_variance' of phone@1 holds negative ...
    """
    for name, array in arrays.items():
        # One pass in almost all cases: a sum is finite only if all values are.
        if not np.isfinite(np.sum(array, dtype="float64")) and not np.isfinite(array).all():
            raise BadWeightsError(f"{name!r} of {what} holds values that are not finite")
        if name.endswith("variance") and (array < 0).any():
            raise BadWeightsError(f"{name!r} of {what} holds negative variances")
