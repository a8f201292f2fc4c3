"""Initial weights that follow from one seed and the names of the layers."""

from __future__ import annotations

import math
import secrets
import zlib

import keras
import numpy as np


class SeededInitializers:
    """Makes the initializer of each layer from a seed and the layer's name.

    A weight does not depend on the layers around it: an extractor has the same initial weights
    as the network that it is a part of, wherever that is split.

    Args:
        seed: a whole number from 0; None draws one.

    Example:

    >>> a, b = SeededInitializers(0), SeededInitializers(0)
    >>> a.he_normal("stem_conv").seed == b.he_normal("stem_conv").seed
    True
    >>> a.he_normal("stem_conv").seed == a.he_normal("logits").seed
    False
    """

    def __init__(self, seed: int | None):
        self._seed = secrets.randbits(32) if seed is None else seed

    def seed_of(self, layer_name: str) -> int:
        """Returns the seed of a layer: a whole number of 31 bits."""
        sequence = np.random.SeedSequence([self._seed, zlib.crc32(layer_name.encode())])
        return int(sequence.generate_state(1)[0] >> 1)

    def he_normal(self, layer_name: str) -> keras.initializers.Initializer:
        """Returns He's initializer for a convolution or a dense layer (He et al. 2015)."""
        return keras.initializers.HeNormal(seed=self.seed_of(layer_name))

    def he_normal_depthwise(
        self, layer_name: str, kernel_size: int
    ) -> keras.initializers.Initializer:
        """Returns He's initializer for a depthwise convolution.

        Each output channel there sees one input channel; `keras.initializers.HeNormal` counts
        all of them and would make the weights too small.
        """
        deviation = math.sqrt(2.0) / kernel_size
        return keras.initializers.RandomNormal(stddev=deviation, seed=self.seed_of(layer_name))
