"""Operations counted from shapes, by hand, as published, and as the backends count them."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_compat import layers, networks
from keras_compat.errors import InputError


def multiply_adds(size, inputs, outputs, kernel=3):
    return size * size * kernel * kernel * inputs * outputs


def test_resnet8_by_hand():
    counted = sum(
        [
            multiply_adds(32, 3, 16),
            multiply_adds(32, 16, 16) * 2,
            multiply_adds(16, 16, 32) + multiply_adds(16, 32, 32),
            multiply_adds(8, 32, 64) + multiply_adds(8, 64, 64),
            64 * 10,
        ]
    )
    normalized = 3 * 32 * 32 * 16 + 2 * 16 * 16 * 32 + 2 * 8 * 8 * 64
    network = networks.build("resnet8", (32, 32, 3), 10, seed=0)
    assert networks.count_flops(network) == 2 * counted + 10 + 6 * normalized
    layers.set_statistics(network, "moving")
    assert networks.count_flops(network) == 2 * counted + 10 + 2 * normalized


def test_mobilenet_v2_as_published():
    with keras.StatelessScope(initialize_variables=False):  # only the weights' shapes count
        counted = networks.count_flops(keras.applications.MobileNetV2(weights=None))
    keras.utils.clear_session()  # else Keras draws the weights with those of the next model
    # Sandler et al. 2018, Table 4: 300 M multiply-adds, without normalization.
    assert counted / 2 == pytest.approx(300e6, rel=0.03)


@pytest.mark.parametrize(
    ("architecture", "normalization"),
    [("resnet8", "batch"), ("resnet8", "layer"), ("mobilenet_v2_small", "instance")],
)
def test_as_the_backend_counts(architecture, normalization):
    shape = (128, 128, 3)  # large: XLA leaves out the padding
    network = networks.build(architecture, shape, 10, seed=0, normalization=normalization)
    layers.set_statistics(network, "moving")  # TensorFlow does not count the fused kernel's
    counted = networks.count_flops(network)
    assert counted == pytest.approx(backend_flops(network, shape), rel=0.05)


def backend_flops(network, shape):
    if keras.backend.backend() == "jax":
        import jax

        images = jax.ShapeDtypeStruct((1, *shape), "float32")
        return jax.jit(network).lower(images).compile().cost_analysis()["flops"]
    import tensorflow as tf

    graph = tf.function(network).get_concrete_function(tf.TensorSpec((1, *shape))).graph
    builder = tf.compat.v1.profiler.ProfileOptionBuilder
    options = builder(builder.float_operation()).with_empty_output().build()
    return tf.compat.v1.profiler.profile(graph, options=options).total_float_ops


def test_extractor_and_head_add_up_to_the_network():
    extractor = networks.build_extractor("resnet8", (32, 24, 3), features="unit_length", seed=0)
    head = networks.build_head("mobilenet_v2_small", seed=0)
    shape = networks.feature_interface(extractor)
    whole = networks.count_flops(networks.recombine(extractor, head))
    assert whole == networks.count_flops(extractor) + networks.count_flops(head, shape)
    plain = networks.build_extractor("resnet8", (None, None, 3), seed=0)
    difference = networks.count_flops(extractor) - networks.count_flops(plain, (32, 24, 3))
    assert difference == 3 * np.prod(shape)


def test_a_layer_counts_each_time_it_is_called():
    dense = keras.layers.Dense(4, use_bias=False)
    features = keras.Input((4,))
    assert networks.count_flops(keras.Model(features, dense(dense(features)))) == 2 * 2 * 16


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (keras.layers.Conv2D(6, 3, groups=2, strides=2), (2 * 9 * 2 + 1) * 6 * 3 * 3),
        (keras.layers.DepthwiseConv2D(3, depth_multiplier=2), (2 * 9 + 1) * 6 * 5 * 8),
        (keras.layers.Dense(3, use_bias=False), 2 * 8 * 7 * 4 * 3),
        (keras.layers.GroupNormalization(2), 6 * 8 * 7 * 4),
        (keras.layers.BatchNormalization(), 2 * 8 * 7 * 4),
        (keras.layers.UnitNormalization(), 3 * 8 * 7 * 4),
        (keras.layers.ReLU(), 0),
    ],
    ids=lambda x: type(x).__name__,
)
def test_kinds_of_layers(layer, expected):
    model = keras.Sequential([keras.Input((8, 7, 4)), layer])
    assert networks.count_flops(model) == expected


def test_another_kind_of_layer_can_be_registered():
    class Scaling(keras.layers.Layer):
        def build(self, shape):
            self.factor = self.add_weight(shape=(shape[-1],), initializer="ones")

        def call(self, inputs):
            return inputs * self.factor

    model = keras.Sequential([keras.Input((5,)), Scaling(name="scaling")])
    with pytest.raises(InputError, match=r"layer 'scaling' \(Scaling\) cannot be counted"):
        networks.count_flops(model)
    networks.layer_flops.register(Scaling, lambda layer, output_shape: output_shape[-1])
    assert networks.count_flops(model) == 5


def test_what_cannot_be_counted_says_why():
    head = networks.build_head("resnet8", seed=0)
    with pytest.raises(InputError, match="give an input_shape"):
        networks.count_flops(head)
    with pytest.raises(InputError, match=r"\(8, 8, 3\), but 'resnet8_head' takes .*64\)"):
        networks.count_flops(head, (8, 8, 3))

    class Subclassed(keras.Model):
        pass

    with pytest.raises(InputError, match="expected a functional"):
        networks.count_flops(Subclassed())
