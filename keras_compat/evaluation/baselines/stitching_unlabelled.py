"""Baseline: stitching layer trained without labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from keras_compat.evaluation.baselines.base import IMAGES, STEPS, Baseline, Connected, Pair
from keras_compat.evaluation.baselines.connection import (
    connected_extractor,
    frozen,
    new_connection,
)
from keras_compat.evaluation.baselines.learning import learn


@dataclass(frozen=True)
class StitchingUnlabelled(Baseline):
    """1x1 convolution trained to reproduce the head's penultimate features without labels.

    The loss compares the input of the head's last layer in the stitched network and in the target
    network, on the same images. Both networks are frozen.

    Args:
        images: Maximum number of images of the extractor's data.
        steps: Number of gradient steps.

    Source: task loss matching of Csiszárik et al. 2021 (arXiv:2110.14633), with penultimate
    features instead of labels, as in distillation (Romero et al. 2015).

    Example:

    >>> StitchingUnlabelled(images=500, steps=100).needs
    'up to 500 images through both, 100 steps'
    """

    images: int = IMAGES
    steps: int = STEPS

    @property
    def needs(self) -> str:
        return f"up to {self.images:,} images through both, {self.steps:,} steps"

    def connect(self, pair: Pair) -> Connected:
        layer = new_connection(pair.extractor, pair.target_head.input_shape[-1], pair.seed)
        before_logits = _without_last_layer(frozen(pair.target_head))
        images = keras.Input(pair.extractor.input_shape[1:])
        stitched = before_logits(layer(frozen(pair.extractor, "stitched")(images)))
        wanted = before_logits(frozen(pair.target_extractor, "target")(images))
        network = keras.Model(images, stitched - wanted)
        learn(network, pair.draw(self.images), self.steps, pair.seed, loss=_mean_square)
        kernel, bias = layer.get_weights()
        return Connected(connected_extractor(pair.extractor, kernel[0, 0], bias), pair.target_head)


def _without_last_layer(head: keras.Model) -> keras.Model:
    without = keras.Model(head.inputs, head.layers[-1].input)
    without.trainable = False
    return without


def _mean_square(labels: Any, difference: Any) -> Any:
    return ops.mean(ops.square(difference), axis=-1)
