"""A dynamic loss scale, for gradients that would vanish in float16."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

# Those of Keras' `LossScaleOptimizer`.
INITIAL_SCALE = 2.0**15
GROWTH_STEPS = 2000
# At this scale, gradients that are not finite have another cause.
SMALLEST_SCALE = 1.0


class LossScale:
    """The factor of one task's loss, by which its gradients are divided again.

    A step is of one task, and is taken or skipped with all the parts that it updates, shared heads
    too. Each task has a scale of its own, since the gradients of other tasks may not overflow. A
    step whose gradients are not all finite is skipped and halves the scale. Many finite ones in a
    row double it, as in Keras' `LossScaleOptimizer`, which scales one loss only.

    Args:
        add_variable: A function that makes a variable of the optimizer, such as
            `keras.optimizers.Optimizer.add_variable`.
        growth_steps: Steps in a row with finite gradients after which the factor doubles.

    Source: Micikevicius et al. 2018, https://arxiv.org/abs/1710.03740, Sec. 3.2.
    """

    def __init__(
        self,
        add_variable: Callable[..., keras.Variable],
        task: str,
        initial: float = INITIAL_SCALE,
        growth_steps: int = GROWTH_STEPS,
    ):
        self._growth_steps = growth_steps
        self.factor = add_variable(
            (),
            keras.initializers.Constant(initial),
            dtype="float32",
            aggregation="none",
            name=f"{task}_loss_scale",
        )
        self._good_steps = add_variable(
            (), "zeros", dtype="int32", aggregation="none", name=f"{task}_good_steps"
        )

    def unscaled(self, gradients: Sequence[Any]) -> list[Any]:
        """Returns the gradients of the loss, given those of the loss times the factor."""
        factor = ops.convert_to_tensor(self.factor)
        # The inverse of a large factor would be 0 in float32.
        return [None if g is None else g / ops.cast(factor, g.dtype) for g in gradients]

    def is_smallest(self) -> Any:
        """Returns whether the factor is the smallest, a scalar."""
        return ops.convert_to_tensor(self.factor) <= SMALLEST_SCALE

    def update(self, finite: Any) -> None:
        """Changes the factor after a step; `finite` tells if all gradients were, a scalar."""
        factor = ops.convert_to_tensor(self.factor)
        good = ops.where(finite, ops.convert_to_tensor(self._good_steps) + 1, 0)
        grows = good >= self._growth_steps
        grown = ops.where(grows, 2.0 * factor, factor)
        self.factor.assign(ops.where(finite, grown, ops.maximum(factor / 2.0, SMALLEST_SCALE)))
        self._good_steps.assign(ops.cast(ops.where(grows, 0, good), "int32"))


def all_finite(gradients: Sequence[Any]) -> Any:
    """Returns whether every value of all gradients is finite, a scalar of the step.

    Example:

    >>> import numpy as np
    >>> bool(all_finite([np.ones(2), None])), bool(all_finite([np.array([1.0, np.inf])]))
    (True, False)
    """
    present = [ops.all(ops.isfinite(g)) for g in gradients if g is not None]
    return ops.all(ops.stack(present))
