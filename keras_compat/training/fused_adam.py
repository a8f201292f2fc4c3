"""Adam by TensorFlow's fused kernel: one operation a variable for many."""

from __future__ import annotations

from typing import Any

import keras


class FusedAdam(keras.optimizers.Adam):
    """Computes what `keras.optimizers.Adam` does, by `tf.raw_ops.ResourceApplyAdam`.

    The formula is the same to the letter, and so is the state. A network has many small variables
    (two of three belong to normalization), and what Keras makes of the formula, operation by
    operation for each, is a large part of the graph of a training step, which has to be recorded.
    """

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates one variable and its two moments."""
        import tensorflow as tf

        dtype = variable.dtype
        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations.value + 1, dtype)
        # Not `tf.cast`, which makes float32 of a Python number first.
        beta_1, beta_2, epsilon = (
            tf.constant(value, dtype) for value in (self.beta_1, self.beta_2, self.epsilon)
        )
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(beta_1, step),
            beta2_power=tf.pow(beta_2, step),
            lr=tf.cast(learning_rate, dtype),
            beta1=beta_1,
            beta2=beta_2,
            epsilon=epsilon,
            grad=tf.cast(gradient, dtype),
        )


def faster(cls: type[keras.optimizers.Optimizer], config: dict[str, Any]) -> type:
    """Returns the class to use for an optimizer: `FusedAdam` where it computes the same.

    That is on TensorFlow, for Adam itself and without `amsgrad`; gradients of embeddings, which
    are sparse, do not occur in networks of images.

    Args:
        cls: the optimizer's own class.
        config: its configuration.

    Example:

    >>> faster(keras.optimizers.SGD, {}) is keras.optimizers.SGD
    True
    """
    replaceable = cls is keras.optimizers.Adam and not config.get("amsgrad")
    return FusedAdam if replaceable and keras.backend.backend() == "tensorflow" else cls
