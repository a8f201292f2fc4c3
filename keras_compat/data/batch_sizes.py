"""Sizes of minibatches."""

from __future__ import annotations

from keras_compat.errors import InputError


def check_minibatches(examples: int, batch_size: int, seed: int, start: int) -> None:
    """Raises `InputError` if endless minibatches cannot be made."""
    if examples == 0:
        raise InputError("there are no examples to make minibatches of; expected at least one")
    if batch_size < 1:
        raise InputError(f"batch_size is {batch_size}; expected a positive whole number")
    if start < 0 or seed < 0:
        raise InputError(f"start is {start} and seed is {seed}; expected none below 0")


def near_equal_sizes(count: int, most: int) -> list[int]:
    """Returns the sizes of the fewest batches of at most `most` that differ by at most one.

    Example:

    >>> near_equal_sizes(1000, 512), near_equal_sizes(5, 2)
    ([500, 500], [2, 2, 1])
    """
    if most < 1:
        raise InputError(f"batch_size is {most}; expected a positive whole number")
    batches = -(-count // most)
    return [count // batches + (i < count % batches) for i in range(batches)]
