"""A layer that scales vectors to unit length."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_compat")
class UnitLength(keras.layers.Layer):
    """Scales the vectors along the last axis to unit length.

    Unlike `keras.layers.UnitNormalization` it has a finite gradient at vectors of zeros, which a
    ReLU can emit: Keras' gradient there is NaN on JAX and 1e12 on TensorFlow. It computes and emits
    float32 at least, since squares of features overflow in float16.

    Args:
        epsilon: Smallest sum of squares to divide by; vectors with a smaller sum stay shorter than
            unit length.

    Input shape: any of rank 2 or more. Output shape: the same.

    Source: Gygli et al. 2021, B.1.

    Example:

    >>> import numpy as np
    >>> y = UnitLength()(np.array([[3.0, 4.0], [0.0, 0.0]], "float32"))
    >>> np.round(keras.ops.convert_to_numpy(y), 3).tolist()
    [[0.6..., 0.8...], [0.0, 0.0]]
    """

    # `training.Precision` leaves such layers in float32.
    keeps_precision = True

    def __init__(self, epsilon: float = 1e-6, **kwargs: Any):
        # A policy such as `mixed_float16` keeps weights, and so this layer, in float32.
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
