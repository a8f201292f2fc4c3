"""Makes the layers of architectures."""

from __future__ import annotations

from typing import Any

from keras import layers

from keras_compat.networks.initializers import SeededInitializers
from keras_compat.networks.normalizations import NORMALIZATIONS


class LayerMaker:
    """Makes the layers of one network, with its initial weights and its normalization.

    Args:
        seed: Seed of the initial weights, see `SeededInitializers`; None draws one.

    Raises:
        InputError: The normalization is unknown.

    Example:

    >>> import keras
    >>> make = LayerMaker(seed=0, normalization="layer")
    >>> x = make.convolution_normalization(keras.Input((8, 8, 3)), 16, 3, "stem", strides=2)
    >>> x.shape
    (None, 4, 4, 16)
    """

    def __init__(self, seed: int | None, normalization: str = "batch"):
        self.initializers = SeededInitializers(seed)
        self._normalization = NORMALIZATIONS[normalization]

    def convolution(
        self, x: Any, filters: int, kernel_size: int, name: str, strides: int = 1
    ) -> Any:
        """Applies a convolution without bias, padded so that only strides change the size."""
        return layers.Conv2D(
            filters,
            kernel_size,
            strides=strides,
            padding="same",
            use_bias=False,
            kernel_initializer=self.initializers.he_normal(name),
            name=name,
        )(x)

    def depthwise_convolution(self, x: Any, kernel_size: int, name: str, strides: int = 1) -> Any:
        """Applies a depthwise convolution, with the settings of `convolution`."""
        return layers.DepthwiseConv2D(
            kernel_size,
            strides=strides,
            padding="same",
            use_bias=False,
            depthwise_initializer=self.initializers.he_normal(name, depthwise=True),
            name=name,
        )(x)

    def normalization(self, x: Any, name: str) -> Any:
        """Applies the network's normalization."""
        return self._normalization(name)(x)

    def convolution_normalization(
        self, x: Any, filters: int, kernel_size: int, name: str, strides: int = 1
    ) -> Any:
        """Applies `convolution`, named `"{name}_conv"`, and normalization, `"{name}_norm"`."""
        x = self.convolution(x, filters, kernel_size, f"{name}_conv", strides)
        return self.normalization(x, f"{name}_norm")
