"""Baselines that train a stitching layer, a 1x1 convolution, between an extractor and a head."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from keras_compat.evaluation.baselines.base import IMAGES, STEPS, Baseline, Connected, Pair
from keras_compat.evaluation.baselines.connection import (
    connected_extractor,
    followed_by,
    frozen,
    new_connection,
)
from keras_compat.evaluation.baselines.learning import learn
from keras_compat.evaluation.recombination import common_examples
from keras_compat.networks import recombine


class _Stitched(Baseline):
    def connect(self, pair: Pair) -> Connected:
        layer = new_connection(pair.extractor, pair.target_head.input_shape[-1], pair.seed)
        self.train(pair, layer)
        kernel, bias = layer.get_weights()
        return Connected(connected_extractor(pair.extractor, kernel[0, 0], bias), pair.target_head)

    @abstractmethod
    def train(self, pair: Pair, layer: keras.layers.Layer) -> None:
        """Trains the stitching layer alone."""


@dataclass(frozen=True)
class Stitching(_Stitched):
    """Stitching layer trained with labels; extractor and head are frozen.

    The training images are those of the extractor whose classes the head knows.

    Args:
        steps: Number of gradient steps.

    Source: Lenc and Vedaldi 2019, "Understanding image representations by measuring their
    equivariance and equivalence" (arXiv:1411.5908).

    Example:

    >>> Stitching(steps=100).needs
    'labels, 100 steps'
    """

    steps: int = STEPS

    @property
    def needs(self) -> str:
        return f"labels, {self.steps:,} steps"

    def train(self, pair: Pair, layer: keras.layers.Layer) -> None:
        examples, _ = common_examples(
            pair.train, pair.class_names, pair.target_class_names, pair.aliases
        )
        stitched = followed_by(frozen(pair.extractor), layer)
        learn(recombine(stitched, frozen(pair.target_head)), examples, self.steps, pair.seed)


@dataclass(frozen=True)
class StitchingUnlabelled(_Stitched):
    """Stitching layer trained without labels to reproduce the head's penultimate features.

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

    def train(self, pair: Pair, layer: keras.layers.Layer) -> None:
        head = frozen(pair.target_head)
        before_logits = keras.Model(head.inputs, head.layers[-1].input)
        before_logits.trainable = False
        images = keras.Input(pair.extractor.input_shape[1:])
        stitched = before_logits(layer(frozen(pair.extractor, "stitched")(images)))
        wanted = before_logits(frozen(pair.target_extractor, "target")(images))
        network = keras.Model(images, stitched - wanted)
        learn(network, pair.draw(self.images), self.steps, pair.seed, loss=_mean_square)


def _mean_square(labels: Any, difference: Any) -> Any:
    return ops.mean(ops.square(difference), axis=-1)
