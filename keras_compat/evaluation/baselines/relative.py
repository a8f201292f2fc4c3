"""Features are given relative to those of anchors."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np

from keras_compat.errors import InputError
from keras_compat.evaluation.baselines.base import ANCHORS, STEPS, Baseline, Connected, Pair
from keras_compat.evaluation.baselines.connection import followed_by, frozen
from keras_compat.evaluation.baselines.learning import learn
from keras_compat.evaluation.prediction import predicting
from keras_compat.networks import copy_model, feature_interface, recombine


@dataclass(frozen=True)
class Relative(Baseline):
    """Each position says how similar it is to anchors, which both extractors have seen.

    An anchor is a position of an image, one of each image drawn. The similarity is the cosine of
    what is left of both after the anchors' mean is taken off; without that all features behind
    a ReLU would be alike. Orthogonal maps of the features, shifts and scales leave it as it is.
    The target's head learns on, behind a new 1x1 convolution, on the target's own data in the
    relative space of its own extractor, and is then put on the other extractor's.

    Args:
        anchors: images of the extractor's data.
        steps: minibatches of training.

    Source: Moschella et al. 2023, "Relative representations enable zero-shot latent space
    communication" (arXiv:2209.15430), there of whole images.

    Example:

    >>> Relative(anchors=64, steps=100).needs
    "64 anchors through both, labels of the head's data, 100 steps"
    """

    anchors: int = ANCHORS
    steps: int = STEPS

    @property
    def needs(self) -> str:
        given = f"{self.anchors:,} anchors through both, labels of the head's data"
        return f"{given}, {self.steps:,} steps"

    def connect(self, pair: Pair) -> Connected:
        ours, targets = _anchor_features(pair, self.anchors)
        head = _head(pair, len(targets))
        target = relative_extractor(frozen(pair.target_extractor), targets)
        learn(recombine(target, head), pair.target_train, self.steps, pair.seed)
        return Connected(relative_extractor(pair.extractor, ours), head)


def relative_extractor(extractor: keras.Model, anchors: np.ndarray) -> keras.Model:
    """Returns an extractor that emits the similarities of each position to each anchor.

    Args:
        extractor: with features of `channels` channels.
        anchors: features, float `[number, channels]`.

    Returns:
        A model from images to `[batch, height, width, number]`, from -1 to 1.
    """
    centre = anchors.mean(axis=0)
    centred = anchors - centre
    directions = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
    similarities = keras.layers.Conv2D(
        len(anchors), 1, use_bias=False, trainable=False, name="similarities"
    )
    model = followed_by(
        extractor,
        keras.layers.Normalization(mean=centre, variance=np.ones_like(centre), name="centred"),
        keras.layers.UnitNormalization(name="directions"),
        similarities,
    )
    similarities.set_weights([directions.T[None, None]])
    return model


def _anchor_features(pair: Pair, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the features of the same anchors in both extractors, each `[anchors, channels]`."""
    examples = pair.draw(count)
    ((images, _),) = examples.evaluation_batches(len(examples))
    with predicting("batch", pair.extractor, pair.target_extractor) as predict:
        features = [each(images) for each in predict]
    if features[0].shape[:-1] != features[1].shape[:-1]:
        interfaces = [feature_interface(x) for x in (pair.extractor, pair.target_extractor)]
        raise InputError(
            f"the extractors emit {interfaces[0]} and {interfaces[1]}; expected the same height "
            "and width, since an anchor is a position"
        )
    rng = np.random.default_rng(pair.seed)
    places = rng.integers(0, features[0].shape[1:3], (len(images), 2))
    return tuple(each[np.arange(len(images)), places[:, 0], places[:, 1]] for each in features)


def _head(pair: Pair, anchors: int) -> keras.Model:
    """Returns the target's head, to learn on, behind a layer that takes similarities."""
    head = copy_model(pair.target_head)
    similarities = keras.Input((None, None, anchors), name="similarities")
    first = keras.layers.Conv2D(
        head.input_shape[-1],
        1,
        kernel_initializer=keras.initializers.GlorotUniform(seed=pair.seed),
        name="from_similarities",
    )
    return keras.Model(similarities, head(first(similarities)), name=f"{head.name}_relative")
