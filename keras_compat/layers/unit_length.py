"""Vectors of unit length."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_compat")
class UnitLength(keras.layers.Layer):
    """Scales the vectors along the last axis to unit length.

    Unlike `keras.layers.UnitNormalization` it has a gradient at vectors of zeros, which features
    behind a ReLU can be: there Keras' is NaN on JAX and 1e12 on TensorFlow. Computes, and emits,
    no less than float32, since squares of features overflow in float16.

    Args:
        epsilon: the smallest sum of squares that is divided by; shorter vectors stay shorter than
            unit length.
        **kwargs: of every Keras layer, such as `name`.

    Input shape: any of rank 2 or more. Output shape: the same.

    Source: Gygli et al. 2021, B.1.

    Example:

    >>> import numpy as np
    >>> y = UnitLength()(np.array([[3.0, 4.0], [0.0, 0.0]], "float32"))
    >>> np.round(keras.ops.convert_to_numpy(y), 3).tolist()
    [[0.6..., 0.8...], [0.0, 0.0]]
    """

    # Also where a trainer lets layers compute in 16 bits.
    keeps_precision = True

    def __init__(self, epsilon: float = 1e-6, **kwargs: Any):
        # The precision of weights, as in the policy `mixed_float16`, is that of the computation.
        kwargs.setdefault("dtype", keras.config.dtype_policy().variable_dtype)
        super().__init__(**kwargs)
        self.epsilon = float(epsilon)

    def call(self, inputs: Any) -> Any:
        """Returns `inputs` divided by their lengths."""
        squares = ops.sum(ops.square(inputs), axis=-1, keepdims=True)
        return inputs * ops.rsqrt(ops.maximum(squares, self.epsilon))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns `input_shape`."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that make this layer again."""
        return {**super().get_config(), "epsilon": self.epsilon}
