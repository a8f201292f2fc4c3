"""Initial weights that follow from one seed and the names of the layers."""

from __future__ import annotations

import math
import secrets
import zlib
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np


@keras.saving.register_keras_serializable("keras_compat")
class SeededHeNormal(keras.initializers.Initializer):
    """Draws from a normal distribution with variance 2 / fan-in (He et al. 2015).

    NumPy draws them, so the weights are the same on every backend and in every precision, and JAX
    need not compile for each shape, which takes seconds for a small network.

    Args:
        seed: Whole number from 0.
        depthwise: Whether the weights, `[height, width, channels, multiplier]`, are those of a
            depthwise convolution, whose outputs see one channel each.

    Source: https://arxiv.org/abs/1502.01852, Eq. 10.

    Example:

    >>> SeededHeNormal(seed=0)((3, 3, 16, 32)).shape == (3, 3, 16, 32)
    True
    """

    def __init__(self, seed: int, depthwise: bool = False):
        self.seed = int(seed)
        self.depthwise = depthwise

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> Any:
        """Returns weights of a shape whose last axis counts the outputs."""
        fan_in = math.prod(shape[:-2] if self.depthwise else shape[:-1])
        values = np.random.default_rng(self.seed).normal(size=tuple(shape))
        values *= math.sqrt(2.0 / fan_in)
        return keras.ops.convert_to_tensor(values, dtype=dtype or keras.config.floatx())

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that make this initializer again."""
        return {"seed": self.seed, "depthwise": self.depthwise}


class SeededInitializers:
    """Makes the initializer of each layer from a seed and the layer's name.

    The initial weights of a layer do not depend on other layers. So an extractor has the same ones
    as the whole network, wherever that is split.

    Args:
        seed: Whole number from 0; None draws one.

    Example:

    >>> a, b = SeededInitializers(0), SeededInitializers(0)
    >>> a.seed_of("stem_conv") == b.seed_of("stem_conv")
    True
    >>> a.seed_of("stem_conv") == a.seed_of("logits")
    False
    """

    def __init__(self, seed: int | None):
        self._seed = secrets.randbits(32) if seed is None else seed

    def seed_of(self, layer_name: str) -> int:
        """Returns the seed of a layer, a whole number of 32 bits."""
        sequence = np.random.SeedSequence([self._seed, zlib.crc32(layer_name.encode())])
        return int(sequence.generate_state(1)[0])

    def he_normal(self, layer_name: str, depthwise: bool = False) -> SeededHeNormal:
        """Returns the initializer of a convolution or a dense layer."""
        return SeededHeNormal(self.seed_of(layer_name), depthwise)
