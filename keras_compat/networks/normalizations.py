"""The registry of normalizations for building networks.

To add one, register a function from the name of a layer to the layer, here or in a file that
`keras_compat/networks/__init__.py` imports.
"""

from __future__ import annotations

from collections.abc import Callable

import keras

from keras_compat.layers import BatchStatisticsNormalization
from keras_compat.registry import Registry

NORMALIZATIONS: Registry[Callable[[str], keras.layers.Layer]] = Registry("normalization")

# The same for all, so that normalizations differ only in the values that they average.
_EPSILON = 1e-5


@NORMALIZATIONS.register("batch")
def batch(name: str) -> keras.layers.Layer:
    """Normalizes each channel over the images of a batch and their positions.

    Source: Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167.

    Example:

    >>> batch("norm").statistics
    'batch'
    """
    return BatchStatisticsNormalization(epsilon=_EPSILON, name=name)


@NORMALIZATIONS.register("layer")
def layer(name: str) -> keras.layers.Layer:
    """Normalizes each image over all its channels and positions.

    Source: Ba, Kiros and Hinton 2016, https://arxiv.org/abs/1607.06450, Eq. 3. Keras' own
    `LayerNormalization` takes the statistics at each position over the channels alone.

    Example:

    >>> layer("norm").groups
    1
    """
    return keras.layers.GroupNormalization(groups=1, epsilon=_EPSILON, name=name)


@NORMALIZATIONS.register("instance")
def instance(name: str) -> keras.layers.Layer:
    """Normalizes each channel of each image over its positions.

    An image with only one position becomes 0.

    Source: Ulyanov, Vedaldi and Lempitsky 2016, https://arxiv.org/abs/1607.08022.

    Example:

    >>> instance("norm").name
    'norm'
    """
    return keras.layers.GroupNormalization(groups=-1, epsilon=_EPSILON, name=name)
