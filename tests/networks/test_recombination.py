"""Extractors and heads of different networks together; heads for more classes; weights."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras.ops import convert_to_numpy as to_numpy

from keras_compat import layers, networks
from keras_compat.errors import InputError

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3)).astype("float32")


@pytest.fixture(scope="module")
def extractor():
    return networks.build_extractor("resnet8:filters=4", (16, 16, 3), seed=0)


@pytest.fixture
def head():
    return networks.build_head("mobilenet_v2_small:width=0.5", classes=5, seed=1)


def test_recombine_shares_weights_and_equals_its_parts(extractor, head, tmp_path):
    network = networks.recombine(extractor, head, name="both")
    outputs = to_numpy(network(IMAGES))
    np.testing.assert_array_equal(outputs, to_numpy(head(extractor(IMAGES))))
    assert {id(w) for w in network.weights} == {id(w) for w in extractor.weights + head.weights}
    network.save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras")
    np.testing.assert_array_equal(to_numpy(loaded(IMAGES)), outputs)


def test_one_head_takes_features_of_any_architecture(head):
    for architecture in ("resnet8", "wide_resnet10:width=1", "mobilenet_v2_small:width=0.5"):
        other = networks.build_extractor(architecture, (16, 16, 3), seed=0)
        assert networks.recombine(other, head)(IMAGES).shape == (4, 5)


def test_an_interface_that_does_not_fit_names_both_shapes(extractor):
    head = networks.build_head("resnet8", input_channels=32, seed=0)
    with pytest.raises(InputError, match=r"\(8, 8, 64\).*\(None, None, 32\)"):
        networks.recombine(extractor, head)
    with pytest.raises(InputError, match=r"\(64,\)"):
        flat = keras.Input((64,))
        networks.check_interface(extractor, keras.Model(flat, flat))


def test_equal_names_are_refused(extractor):
    head = networks.build_head("resnet8", seed=0, name=extractor.name)
    with pytest.raises(InputError, match="both named"):
        networks.recombine(extractor, head)


def test_extend_classes_keeps_old_logits_and_all_else(head):
    head.get_layer("block5_expand_norm").trainable = False
    layers.set_statistics(head, "moving")
    features = np.random.default_rng(0).normal(size=(4, 8, 8, 64)).astype("float32")
    head(features, training=True)
    before = head.get_weights()
    old = to_numpy(head(features))
    new_head = networks.extend_classes(head, 10, seed=0)
    new = to_numpy(new_head(features))
    np.testing.assert_allclose(new[:, :5], old, rtol=1e-5, atol=1e-6)
    assert np.abs(new[:, 5:]).max() > 0
    assert new_head.name == head.name
    assert not new_head.get_layer("block5_expand_norm").trainable
    assert {layer.statistics for layer in layers.normalization_layers(new_head)} == {"moving"}
    kernel, bias = new_head.get_layer("logits").get_weights()
    assert bias[5:].tolist() == [0.0] * 5
    np.testing.assert_allclose(kernel[:, 5:].std(), np.sqrt(2 / kernel.shape[0]), rtol=0.2)
    again, other = (networks.extend_classes(head, 10, seed=s).get_weights() for s in (0, 1))
    np.testing.assert_array_equal(again[-2], kernel)
    assert np.abs(other[-2][:, 5:] - kernel[:, 5:]).max() > 0
    for a, b in zip(before, head.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_extend_classes_refuses_what_it_cannot_do(head):
    with pytest.raises(InputError, match="at least the 5"):
        networks.extend_classes(head, 4)
    features = keras.Input((8,))
    no_dense = keras.Model(features, keras.layers.ReLU(name="end")(features))
    with pytest.raises(InputError, match=r"'end' \(ReLU\); expected a Dense"):
        networks.extend_classes(no_dense, 10)


def test_copy_weights_refuses_other_shapes(head):
    other = networks.build_head("mobilenet_v2_small:width=0.5", classes=6, seed=0)
    before = other.get_weights()
    with pytest.raises(InputError, match=r"do not fit .*, 5\) and \(\d+, 6\)"):
        networks.copy_weights(head, other)
    for a, b in zip(before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
