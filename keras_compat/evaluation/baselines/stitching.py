"""Baseline: stitching layer trained with labels."""

from __future__ import annotations

from dataclasses import dataclass

from keras_compat.evaluation.baselines.base import STEPS, Baseline, Connected, Pair
from keras_compat.evaluation.baselines.connection import (
    connected_extractor,
    followed_by,
    frozen,
    new_connection,
)
from keras_compat.evaluation.baselines.learning import learn
from keras_compat.evaluation.recombination import common_examples
from keras_compat.networks import recombine


@dataclass(frozen=True)
class Stitching(Baseline):
    """1x1 convolution between a frozen extractor and a frozen head, trained with labels.

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

    def connect(self, pair: Pair) -> Connected:
        examples, _ = common_examples(
            pair.train, pair.class_names, pair.target_class_names, pair.aliases
        )
        layer = new_connection(pair.extractor, pair.target_head.input_shape[-1], pair.seed)
        stitched = followed_by(frozen(pair.extractor), layer)
        learn(recombine(stitched, frozen(pair.target_head)), examples, self.steps, pair.seed)
        kernel, bias = layer.get_weights()
        return Connected(connected_extractor(pair.extractor, kernel[0, 0], bias), pair.target_head)
