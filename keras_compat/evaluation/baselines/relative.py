"""Images are described relative to anchors."""

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
    """An image is described by how similar its features are to those of anchor images.

    The similarity is the cosine of all features of two images, after the anchors' mean is taken
    off both: behind a ReLU all features point the same way. Orthogonal maps of the channels,
    shifts and scales leave it as it is. A new head with one hidden layer is trained on these
    descriptions by the target network's extractor, with the target's own data, and is then put on
    the other extractor with its features of the same anchors.

    The descriptions have no height and width: they are of the whole image, not of a position.

    Args:
        anchors: images of the extractor's data.
        steps: minibatches of training.

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
    """Returns an extractor that emits the similarity of each image to each anchor.

    Args:
        extractor: with features `[batch, height, width, channels]`.
        anchors: their features, float `[number, height, width, channels]`.

    Returns:
        A model from images to similarities `[batch, number]`, from -1 to 1.
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
