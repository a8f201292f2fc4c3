"""Folded normalization computes the same, and is left alone where it cannot be folded."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_compat import networks
from keras_compat.deployment.folding import fold_normalization
from keras_compat.layers import (
    BatchStatisticsNormalization,
    normalization_layers,
    set_statistics,
)

layers = keras.layers


def train(model):
    """Gives every normalization numbers of its own, and makes it use them."""
    random = np.random.default_rng(0)
    for layer in model._flatten_layers():
        if isinstance(layer, BatchStatisticsNormalization | layers.BatchNormalization):
            for weight in layer.weights:
                weight.assign(random.uniform(0.5, 2, weight.shape))
    set_statistics(model, "moving")
    return model


def check_same(model, folded):
    images = np.random.default_rng(1).uniform(0, 255, (3, *model.input_shape[1:])).astype("float32")
    for one, other in zip(
        keras.tree.flatten(model(images)), keras.tree.flatten(folded(images)), strict=True
    ):
        one, other = (keras.ops.convert_to_numpy(x) for x in (one, other))
        assert np.ptp(one) > 0
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-5 * np.abs(one).max())


def small(call, shape=(6, 6, 3)):
    inputs = keras.Input(shape)
    return train(keras.Model(inputs, call(inputs)))


def kept(model):
    folded = fold_normalization(model)
    check_same(model, folded)
    types = (BatchStatisticsNormalization, layers.BatchNormalization)
    return sum(isinstance(layer, types) for layer in folded.layers)


@pytest.mark.parametrize(
    ("architecture", "left"),
    # In a Wide ResNet normalization comes before the convolution: that after a sum stays.
    [("resnet8", 0), ("wide_resnet10", 2), ("mobilenet_v2_small@block2", 0)],
)
def test_recombined_networks_compute_the_same(architecture, left):
    extractor = networks.build_extractor(architecture, (16, 16, 3), seed=0, name="extractor")
    head = networks.build_head(architecture, classes=4, seed=1, name="head")
    network = train(networks.recombine(extractor, head))
    before = [w.copy() for w in network.get_weights()]
    folded = fold_normalization(network)
    assert len(normalization_layers(network)) > len(normalization_layers(folded)) == left
    check_same(network, folded)
    assert all(np.array_equal(a, b) for a, b in zip(before, network.get_weights(), strict=True))


@pytest.mark.parametrize(
    "layer",
    [
        layers.Conv2D(4, 3, strides=2, padding="same"),
        layers.Conv2D(4, 3, use_bias=False, bias_initializer="ones"),
        layers.DepthwiseConv2D(3, depth_multiplier=2, bias_initializer="ones"),
        layers.Dense(4),
    ],
    ids=lambda layer: layer.__class__.__name__,
)
def test_linear_layers_take_the_normalization_after_them(layer):
    for normalization in (
        BatchStatisticsNormalization(),
        BatchStatisticsNormalization(center=False, scale=False),
        layers.BatchNormalization(),
    ):
        assert kept(small(lambda x: normalization(layer(x)))) == 0  # noqa: B023


def test_what_cannot_be_folded_stays():
    norm = BatchStatisticsNormalization
    assert kept(small(lambda x: norm()(x))) == 1
    assert kept(small(lambda x: norm()(layers.Conv2D(4, 3, activation="relu")(x)))) == 1
    assert kept(small(lambda x: norm(axis=1)(layers.Conv2D(4, 3)(x)))) == 1

    def used_elsewhere(x):
        x = layers.Conv2D(3, 1)(x)
        return layers.Add()([norm()(x), x])

    def an_output(x):
        x = layers.Conv2D(3, 1)(x)
        return [norm()(x), x]

    def called_twice(x):
        convolution = layers.Conv2D(3, 1)
        return convolution(norm()(convolution(x)))

    for call in (used_elsewhere, an_output, called_twice):
        assert kept(small(call)) == 1, call.__name__


def test_statistics_of_the_batch_stay():
    model = small(lambda x: BatchStatisticsNormalization()(layers.Conv2D(4, 3)(x)))
    set_statistics(model, "batch")
    assert kept(model) == 1


def test_sequential_models_and_structures_are_kept():
    sequential = keras.Sequential(
        [keras.Input((6, 6, 3)), layers.Conv2D(4, 3), BatchStatisticsNormalization()]
    )
    assert kept(train(sequential)) == 0
    inputs = keras.Input((6, 6, 3))
    x = BatchStatisticsNormalization()(layers.Conv2D(4, 3)(inputs))
    model = train(keras.Model({"images": inputs}, {"logits": [x], "more": layers.ReLU()(x)}))
    images = {"images": np.ones((2, 6, 6, 3), "float32")}
    keras.tree.assert_same_structure(fold_normalization(model)(images), model(images))


def test_weights_in_other_forms_compute_the_same():
    adapted, quantized = layers.Dense(4), layers.Dense(4)
    model = small(
        lambda x: BatchStatisticsNormalization()(
            quantized(BatchStatisticsNormalization()(adapted(x)))
        )
    )
    adapted.enable_lora(2)
    adapted.lora_kernel_b.assign(np.ones((2, 4)))
    quantized.quantize("int8")
    assert kept(model) == 1


class Doubled(BatchStatisticsNormalization):
    def call(self, inputs, training=None):
        return 2 * super().call(inputs, training=training)


def test_a_normalization_of_another_class_is_left():
    assert kept(small(lambda x: Doubled()(layers.Conv2D(4, 3)(x)))) == 1
