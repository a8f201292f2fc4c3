"""An auxiliary task: predict whether an image is upside down."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_compat.auxiliary import Auxiliary
from keras_compat.auxiliary.base import draw_classes


@keras.saving.register_keras_serializable("keras_compat_example")
class UpsideDown(Auxiliary):
    """Predicts whether an image is upside down.

    Args:
        seed: Seed of the random choice of images.
    """

    outputs = 2
    shows_each_once = True

    def __init__(self, seed: int | None = None, name: str = "upside_down", **kwargs: Any):
        super().__init__(name=name, **kwargs)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def transform(self, images: Any, labels: Any, training: bool = True) -> tuple[Any, Any]:
        targets = draw_classes(ops.shape(images)[0], 2, self.seed_generator, training)
        turned = ops.reshape(targets, (-1, 1, 1, 1)) == 1
        return ops.where(turned, ops.flip(images, axis=1), images), targets

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}
