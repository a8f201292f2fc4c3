"""A layer that adds channels of zeros, for shortcuts without weights."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_compat")
class ChannelPadding(keras.layers.Layer):
    """Pads images with channels of zeros, half before and half after their own.

    It makes the shortcut without weights of He et al. 2016 (option A, Sec. 4.2).

    Args:
        filters: Number of channels of the output, at least that of the input.
        **kwargs: Arguments of every Keras layer, such as `name` and `dtype`.

    Input shape: `[batch, height, width, channels]`. Output shape: the same with `filters` channels.

    Raises:
        ValueError: The input has more than `filters` channels.

    Example:

    >>> import numpy as np
    >>> keras.ops.convert_to_numpy(ChannelPadding(4)(np.ones((1, 1, 1, 2)))).tolist()
    [[[[0.0, 1.0, 1.0, 0.0]]]]
    """

    def __init__(self, filters: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.filters = int(filters)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Checks that the input has no more channels than the output."""
        if input_shape[-1] > self.filters:
            raise ValueError(f"{input_shape[-1]} channels cannot be padded to {self.filters}")

    def call(self, inputs: Any) -> Any:
        """Returns `inputs` with zeros before and after its channels."""
        missing = self.filters - inputs.shape[-1]
        return ops.pad(inputs, [(0, 0), (0, 0), (0, 0), (missing // 2, missing - missing // 2)])

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns `input_shape` with `filters` channels."""
        return (*input_shape[:-1], self.filters)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that make this layer again."""
        return {**super().get_config(), "filters": self.filters}
