"""Adam by TensorFlow's fused kernel, one operation for each variable."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


class FusedAdam(keras.optimizers.Adam):
    """Computes the updates of `keras.optimizers.Adam` by `tf.raw_ops.ResourceApplyAdam`.

    Formula and state are the same. A network has many small variables, two thirds of them of
    normalization. Keras makes many operations for each, which take long to trace.
    """

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates one variable and its two moments."""
        dtype = variable.dtype
        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations.value + 1, dtype)
        # Not `tf.cast`, which first makes float32 of a Python number.
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


def fastest(cls: type[keras.optimizers.Optimizer], config: dict[str, Any]) -> type:
    """Returns the class that computes an optimizer's updates fastest.

    `FusedAdam` replaces Adam itself without `amsgrad`. Its gradients must be dense, as those of
    image networks are.
    """
    return FusedAdam if cls is keras.optimizers.Adam and not config.get("amsgrad") else cls
