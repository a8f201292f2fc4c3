"""What the replicas of a step have to know of each other to do what one device would do.

On TensorFlow a step that is spread over devices runs once a replica, and each sees its own part of
the batch; here is how parts become the whole again. All replicas have equally large parts. On JAX
a step always sees the whole batch, wherever it lies: there, and in a step that runs once, nothing
is to be done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops


def count() -> int:
    """Returns how many replicas the step that is running has.

    Example:

    >>> count()
    1
    """
    context = _context()
    return 1 if context is None else context.num_replicas_in_sync


def positions(size: Any) -> Any:
    """Returns the places in the whole batch of a replica's examples, int32 `[size]`.

    Args:
        size: how many examples the replica has.

    Example:

    >>> [int(place) for place in positions(3)]
    [0, 1, 2]
    """
    return ops.arange(size, dtype="int32") + first_position(size)


def first_position(size: Any) -> Any:
    """Returns the place in the whole batch of a replica's first example; see `positions`."""
    return _number() * size if count() > 1 else 0


def drawn(draw: Callable[[tuple[Any, ...]], Any], shape: Sequence[Any], axis: int = 0) -> Any:
    """Draws random numbers for the whole batch, and returns those of a replica's own examples.

    So that they are those that one device would draw; the numbers of an image are few.

    Args:
        draw: from a shape to random numbers of that shape.
        shape: of the replica's own numbers.
        axis: that of the examples.

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
        values: `[size, ...]` of this replica. Gradients find their way back to each replica's.
    """
    replicas = count()
    if replicas == 1:
        return values
    import tensorflow as tf

    # A sum in which each has a place of its own: `all_gather` would ask for the sizes first.
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
        x: of this replica, `[size, ...]`, float32 or float64.
        axes: to reduce, that of the examples among them.

    Returns:
        Two tensors of the shape of the axes that are left.
    """
    mean, variance = ops.moments(x, list(axes))
    if count() == 1:
        return mean, variance
    # The mean of the squares less the square of the mean would lose digits.
    both = gathered(ops.stack([mean, variance])[None])
    mean, between = ops.moments(both[:, 0], [0])
    return mean, ops.mean(both[:, 1], axis=0) + between


def _context() -> Any:
    """Returns TensorFlow's context of a replica, where there are several."""
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    several = context is not None and context.num_replicas_in_sync > 1
    return context if several else None


def _number() -> Any:
    return ops.cast(_context().replica_id_in_sync_group, "int32")
