"""Operations across replicas, so that a distributed step computes what one device would compute.

On TensorFlow a distributed step runs once on each replica, with an equal part of the batch. On JAX
a step always sees the whole batch. There, and on a single device, each operation here returns what
a plain call would return.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops


def count() -> int:
    """Returns the number of replicas of the running step.

    Example:

    >>> count()
    1
    """
    context = _context()
    return 1 if context is None else context.num_replicas_in_sync


def positions(size: Any) -> Any:
    """Returns the indices of a replica's examples in the whole batch, int32 `[size]`.

    Example:

    >>> [int(place) for place in positions(3)]
    [0, 1, 2]
    """
    return ops.arange(size, dtype="int32") + first_position(size)


def first_position(size: Any) -> Any:
    """Returns the index of a replica's first example in the whole batch; see `positions`."""
    return _number() * size if count() > 1 else 0


def drawn(draw: Callable[[tuple[Any, ...]], Any], shape: Sequence[Any], axis: int = 0) -> Any:
    """Draws random numbers for the whole batch and returns those of the replica's examples.

    One device would draw the same numbers.

    Args:
        draw: Function from a shape to random numbers of that shape.
        shape: Shape of the replica's numbers.
        axis: Axis of the examples.

    Example:

    >>> tuple(drawn(lambda shape: keras.random.uniform(shape, seed=0), (4, 1)).shape)
    (4, 1)
    """
    replicas = count()
    if replicas == 1:
        return draw(tuple(shape))
    whole = list(shape)
    whole[axis] = shape[axis] * replicas
    places = positions(shape[axis])
    return ops.take(draw(tuple(whole)), places, axis=axis)


def gathered(values: Any) -> Any:
    """Returns the values of all replicas along the first axis, `[count() * size, ...]`.

    Args:
        values: Values of this replica, `[size, ...]`; gradients flow back to each replica's own.
    """
    replicas = count()
    if replicas == 1:
        return values
    import tensorflow as tf

    # A sum of one-hot parts: `all_gather` would exchange the sizes first.
    own = ops.one_hot(_number(), replicas, dtype=values.dtype)
    places = ops.reshape(own, (replicas, *[1] * len(values.shape))) * values[None]
    whole = _context().all_reduce(tf.distribute.ReduceOp.SUM, places)
    return ops.reshape(whole, (-1, *values.shape[1:]))


def means(values: Any) -> Any:
    """Returns the mean over the replicas of each element of a tensor, or of a list of them."""
    if count() == 1:
        return values
    import tensorflow as tf

    return _context().all_reduce(tf.distribute.ReduceOp.MEAN, values)


def moments(x: Any, axes: Sequence[int]) -> tuple[Any, Any]:
    """Returns mean and variance over the whole batch.

    Args:
        x: Values of this replica, `[size, ...]`, float32 or float64.
        axes: Axes to reduce, with the axis of the examples.

    Returns:
        Two tensors with the remaining axes.
    """
    mean, variance = ops.moments(x, list(axes))
    if count() == 1:
        return mean, variance
    # The mean of squares minus the squared mean would lose precision.
    both = gathered(ops.stack([mean, variance])[None])
    mean, between = ops.moments(both[:, 0], [0])
    return mean, ops.mean(both[:, 1], axis=0) + between


def _context() -> Any:
    """Returns TensorFlow's replica context if there are several replicas, else `None`."""
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    several = context is not None and context.num_replicas_in_sync > 1
    return context if several else None


def _number() -> Any:
    return ops.cast(_context().replica_id_in_sync_group, "int32")
