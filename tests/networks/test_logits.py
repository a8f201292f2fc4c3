"""A head that emits probabilities is recognized, however it is built, and made one of logits."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from scipy.special import softmax

from keras_compat import networks
from keras_compat.errors import InputError
from keras_compat.networks.logits import emits_probabilities

CLASSES = 3


def nested(x):
    inner = keras.Input((8,))
    y = layers.Dense(CLASSES, activation="softmax", name="inner")(inner)
    return keras.Model(inner, y, name="classifier")(x)


def nested_last(x):
    inner = keras.Input((CLASSES,))
    return keras.Model(inner, layers.Softmax()(inner), name="last")(layers.Dense(CLASSES)(x))


def nested_sequential(x):
    inner = [keras.Input((8,)), layers.Dense(CLASSES), layers.Activation("softmax")]
    return keras.Sequential(inner, name="classifier")(x)


def nested_identity(x):
    inner = keras.Input((CLASSES,))
    return keras.Model(inner, inner, name="same")(layers.Dense(CLASSES, activation="softmax")(x))


def convolution(x):
    x = layers.Reshape((1, 1, 8))(x)
    return layers.Flatten()(layers.Conv2D(CLASSES, 1, activation="softmax")(x))


def in_float32(x):
    x = layers.Dense(CLASSES, activation="softmax")(x)
    return layers.Activation("linear", dtype="float32")(x)


class OwnSoftmax(layers.Layer):
    def call(self, inputs):
        return ops.softmax(inputs)


SOFTMAX = {
    "dense": lambda x: layers.Dense(CLASSES, activation="softmax")(x),
    "function": lambda x: layers.Dense(CLASSES, activation=ops.softmax)(x),
    "lambda": lambda x: layers.Dense(CLASSES, activation=lambda t: ops.softmax(t, axis=-1))(x),
    "activation": lambda x: layers.Activation("softmax")(layers.Dense(CLASSES)(x)),
    "layer": lambda x: layers.Softmax()(layers.Dense(CLASSES)(x)),
    "own layer": lambda x: OwnSoftmax()(layers.Dense(CLASSES)(x)),
    "operation": lambda x: ops.softmax(layers.Dense(CLASSES)(x)),
    "cast": lambda x: ops.cast(ops.softmax(layers.Dense(CLASSES)(x)), "float32"),
    "in float32": in_float32,
    "reshaped": lambda x: layers.Reshape((CLASSES,))(layers.Softmax()(layers.Dense(CLASSES)(x))),
    "identity": lambda x: layers.Identity()(layers.Dense(CLASSES, activation="softmax")(x)),
    "dropout": lambda x: layers.Dropout(0.1)(layers.Dense(CLASSES, activation="softmax")(x)),
    "convolution": convolution,
    "nested": nested,
    "nested last": nested_last,
    "nested last, moved": lambda x: layers.Dropout(0.5)(layers.Identity()(nested_last(x))),
    "nested sequential": nested_sequential,
    "nested identity": nested_identity,
}
SQUASHED = {
    "sigmoid": lambda x: layers.Dense(CLASSES, activation="sigmoid")(x),
    "hard sigmoid": lambda x: layers.Activation("hard_sigmoid")(layers.Dense(CLASSES)(x)),
    "sigmoid operation": lambda x: ops.sigmoid(layers.Dense(CLASSES)(x)),
    "sparsemax": lambda x: layers.Dense(CLASSES, activation="sparsemax")(x),
}
MIXED = {
    "average": lambda x: layers.Average()([SOFTMAX["dense"](x), SOFTMAX["layer"](x)]),
    "half the sum": lambda x: (SOFTMAX["dense"](x) + SOFTMAX["dense"](x)) / 2,
    "scaled": lambda x: layers.Rescaling(0.5)(SOFTMAX["dense"](x)),
    "clipped": lambda x: ops.clip(SOFTMAX["dense"](x), 1e-7, 1),
}
LOGITS = {
    "dense": lambda x: layers.Dense(CLASSES)(x),
    "log softmax": lambda x: layers.Dense(CLASSES, activation="log_softmax")(x),
    "log of softmax": lambda x: layers.Activation(ops.log)(SOFTMAX["dense"](x)),
    "tanh": lambda x: layers.Dense(CLASSES, activation="tanh")(x),
    "relu": lambda x: layers.ReLU()(layers.Dense(CLASSES)(x)),
    "softmax before": lambda x: layers.Dense(CLASSES)(SOFTMAX["dense"](x)),
    "attention": lambda x: layers.Dense(CLASSES)(ops.softmax(x) * x),
    "gate": lambda x: layers.Multiply()(
        [layers.Dense(CLASSES)(x), layers.Dense(CLASSES, activation="sigmoid")(x)]
    ),
    "in float32": lambda x: layers.Activation("linear", dtype="float32")(layers.Dense(CLASSES)(x)),
    "nested": lambda x: keras.Sequential([keras.Input((8,)), layers.Dense(CLASSES)])(x),
}


def head_of(build):
    features = keras.Input((8,))
    return keras.Model(features, build(features), name="head")


FEATURES = np.random.default_rng(0).normal(size=(5, 8)).astype("float32")


@pytest.mark.parametrize("name", SOFTMAX)
def test_logits_share_the_weights_of_the_probabilities(name):
    head = head_of(SOFTMAX[name])
    with pytest.raises(InputError, match=r"'head' emits probabilities, by .*logits_of\(head\)"):
        networks.check_logits(head)
    assert emits_probabilities(head)
    logits = networks.logits_of(head)
    networks.check_logits(logits)
    assert logits.name == "head" and logits.input_shape == head.input_shape
    assert {id(v) for v in logits.weights} == {id(v) for v in head.weights}
    for weight in logits.weights:
        weight.assign(np.random.default_rng(1).normal(size=weight.shape))
    scores = np.array(logits(FEATURES))
    np.testing.assert_allclose(softmax(scores, axis=-1), np.array(head(FEATURES)), atol=1e-5)
    assert np.ptp(scores) > 1


@pytest.mark.parametrize("name", SQUASHED)
def test_sigmoids_are_recognized_too(name):
    head = head_of(SQUASHED[name])
    with pytest.raises(InputError, match="emits probabilities"):
        networks.check_logits(head)
    assert emits_probabilities(head)
    networks.check_logits(networks.logits_of(head))


@pytest.mark.parametrize("name", MIXED)
def test_probabilities_that_are_mixed_have_no_logits(name):
    head = head_of(MIXED[name])
    with pytest.raises(InputError, match="emits probabilities"):
        networks.check_logits(head)
    with pytest.raises(InputError, match="mixes probabilities"):
        networks.logits_of(head)


@pytest.mark.parametrize("name", LOGITS)
def test_logits_are_left_as_they_are(name):
    head = head_of(LOGITS[name])
    networks.check_logits(head)
    assert networks.logits_of(head) is head and not emits_probabilities(head)


@pytest.mark.parametrize(
    "build",
    [
        lambda x: [SOFTMAX["dense"](x), x],
        lambda x: layers.Softmax(axis=1)(layers.Reshape((2, 4))(x)),
    ],
)
def test_not_all_that_comes_of_a_softmax_is_one_probability_a_class(build):
    assert not emits_probabilities(head_of(build))


def test_a_head_of_keras_applications(tmp_path):
    model = keras.applications.MobileNetV2((32, 32, 3), alpha=0.35, weights=None, classes=4)
    _, head = networks.split(model, "block_15_add")
    logits = networks.logits_of(head)
    features = np.random.default_rng(0).normal(size=(2, 1, 1, 56)).astype("float32")
    found = softmax(np.array(logits(features)), axis=-1)
    np.testing.assert_allclose(found, np.array(head(features)), rtol=1e-4)
    logits.save(tmp_path / "logits.keras")
    loaded = keras.saving.load_model(tmp_path / "logits.keras")
    np.testing.assert_allclose(np.array(loaded(features)), np.array(logits(features)), rtol=1e-5)


def test_a_subclass_is_judged_by_its_last_layer():
    class Head(keras.Model):
        def __init__(self, activation):
            super().__init__(name="own")
            self.last = layers.Dense(CLASSES, activation=activation)

        def call(self, x):
            return self.last(x)

    networks.check_logits(keras.Sequential([layers.Dense(3)]))  # without a graph
    networks.check_logits(Head(None))
    with pytest.raises(InputError, match="'own' emits probabilities"):
        networks.check_logits(Head("softmax"))
    with pytest.raises(InputError, match="expected a functional Keras model"):
        networks.logits_of(Head("softmax"))


def test_a_frozen_head_stays_frozen():
    head = head_of(SOFTMAX["dense"])
    head.trainable = False
    assert not networks.logits_of(head).trainable_variables


def test_more_classes_need_logits():
    with pytest.raises(InputError, match="emits probabilities"):
        networks.extend_classes(head_of(SOFTMAX["dense"]), 5)
    extended = networks.extend_classes(networks.logits_of(head_of(SOFTMAX["dense"])), 5)
    assert extended.output_shape == (None, 5)
