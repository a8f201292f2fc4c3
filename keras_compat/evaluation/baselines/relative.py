"""Baseline: relative representations, the similarities to anchor images."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np

from keras_compat.evaluation.baselines.base import ANCHORS, STEPS, Baseline, Connected, Pair
from keras_compat.evaluation.baselines.connection import followed_by, frozen
from keras_compat.evaluation.baselines.learning import learn
from keras_compat.evaluation.prediction import predicting
from keras_compat.layers import BatchStatisticsNormalization
from keras_compat.networks import recombine

_HIDDEN_UNITS = 256


@dataclass(frozen=True)
class Relative(Baseline):
    """Representation of an image by the similarities of its features to those of anchors.

    The similarity is the cosine of all features of two images after the mean of the anchors is
    subtracted, because features after a ReLU have similar directions. It is invariant to
    orthogonal maps of the channels, shifts and scales. A new head with one hidden layer is trained
    on the similarities of the target's extractor, with the target's data. It is then used with the
    other extractor and its features of the same anchors.

    The representation has no height and width: it describes the whole image.

    Args:
        anchors: Maximum number of images of the extractor's data.
        steps: Number of gradient steps.

    Source: Moschella et al. 2023, "Relative representations enable zero-shot latent space
    communication" (arXiv:2209.15430).

    Example:

    >>> Relative(anchors=64, steps=100).needs
    "up to 64 anchors through both, labels of the head's data, 100 steps"
    """

    anchors: int = ANCHORS
    steps: int = STEPS

    @property
    def needs(self) -> str:
        given = f"up to {self.anchors:,} anchors through both, labels of the head's data"
        return f"{given}, {self.steps:,} steps"

    def connect(self, pair: Pair) -> Connected:
        anchors = pair.draw(self.anchors)
        ((images, _),) = anchors.evaluation_batches(len(anchors))
        with predicting("batch", pair.extractor, pair.target_extractor) as predict:
            ours, targets = (features(images) for features in predict)
        head = _new_head(len(images), pair.target_head.output_shape[-1], pair.seed)
        target = relative_extractor(frozen(pair.target_extractor), targets)
        learn(recombine(target, head), pair.target_train, self.steps, pair.seed)
        return Connected(relative_extractor(pair.extractor, ours), head)


def relative_extractor(extractor: keras.Model, anchors: np.ndarray) -> keras.Model:
    """Returns a model from images to similarities `[batch, anchors]`, from -1 to 1.

    Args:
        extractor: Extractor with features `[batch, height, width, channels]`.
        anchors: Features of the anchors, float `[anchors, height, width, channels]`.
    """
    features = anchors.reshape(len(anchors), -1).astype("float64")
    centre = features.mean(axis=0)
    centred = features - centre
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    directions = centred / np.where(lengths > 0, lengths, 1)
    similarities = keras.layers.Dense(
        len(anchors), use_bias=False, trainable=False, name="similarities"
    )
    model = followed_by(
        extractor,
        keras.layers.Flatten(name="flat"),
        keras.layers.Normalization(mean=centre, variance=np.ones_like(centre), name="centred"),
        keras.layers.UnitNormalization(name="directions"),
        similarities,
    )
    similarities.set_weights([directions.T])
    return model


def _new_head(anchors: int, classes: int, seed: int) -> keras.Model:
    init = [keras.initializers.HeNormal(seed=2 * seed + i) for i in range(2)]
    similarities = keras.Input((anchors,), name="similarities")
    x = BatchStatisticsNormalization(name="similarities_norm")(similarities)
    x = keras.layers.Dense(_HIDDEN_UNITS, kernel_initializer=init[0], name="hidden")(x)
    x = keras.layers.ReLU(name="relu")(BatchStatisticsNormalization(name="hidden_norm")(x))
    logits = keras.layers.Dense(classes, kernel_initializer=init[1], name="logits")(x)
    return keras.Model(similarities, logits, name="relative_head")
