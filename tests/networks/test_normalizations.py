"""Networks by batch, layer and instance normalization, and features of unit length."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_compat import deployment, layers, networks
from keras_compat.errors import InputError
from tests.helpers import dtype_policy

SHAPE = (16, 16, 3)
IMAGES = np.random.default_rng(0).integers(0, 256, (4, *SHAPE)).astype("float32")
ARCHITECTURES = ("resnet8:filters=4", "wide_resnet10:width=1", "mobilenet_v2_small:width=0.5")


def pair(architecture, normalization, **options):
    extractor = networks.build_extractor(
        architecture, SHAPE, seed=0, normalization=normalization, **options
    )
    head = networks.build_head(architecture, classes=5, seed=0, normalization=normalization)
    return extractor, head


def by_layer_and_instance():
    """Returns a network whose extractor normalizes by layer and whose head by instance."""
    extractor = pair(ARCHITECTURES[0], "layer", features="unit_length")[0]
    return networks.recombine(extractor, pair(ARCHITECTURES[0], "instance")[1], name="both")


def run(model, x=IMAGES):
    """Returns the outputs, compiled: much faster than layer by layer on JAX."""
    return model.predict(x, batch_size=len(x), verbose=0).astype("float32")


@pytest.mark.parametrize(
    ("normalization", "axes"), [("batch", (0, 1, 2)), ("layer", (1, 2, 3)), ("instance", (1, 2))]
)
def test_what_the_statistics_are_taken_over(normalization, axes):
    make = networks.NORMALIZATIONS[normalization]
    x = np.random.default_rng(0).normal(1.0, 2.0, (3, 4, 5, 6)).astype("float32")
    variance = x.var(axes, keepdims=True)
    expected = (x - x.mean(axes, keepdims=True)) / np.sqrt(variance + 1e-5)
    layer = make("norm")
    np.testing.assert_allclose(layer(x), expected, atol=1e-4)
    assert {tuple(weight.shape) for weight in layer.weights} == {(6,)}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("normalization", ["layer", "instance"])
def test_only_the_normalization_differs(architecture, normalization):
    default = networks.build(architecture, SHAPE, 5, seed=0)
    other = networks.build(architecture, SHAPE, 5, seed=0, normalization=normalization)
    assert networks.count_parameters(other) == networks.count_parameters(default)
    changed = set()
    for a, b in zip(default.layers, other.layers, strict=True):
        assert a.name == b.name
        if type(a) is not type(b):
            changed.add((type(a).__name__, a.name.endswith("_norm")))
        for v, w in zip(a.trainable_weights, b.trainable_weights, strict=True):
            np.testing.assert_array_equal(v, w)
    assert changed == {("BatchStatisticsNormalization", True)}
    assert not layers.normalization_layers(other)


@pytest.mark.parametrize("normalization", tuple(networks.NORMALIZATIONS))
def test_an_image_is_normalized_alone_unless_by_batch(normalization):
    network = networks.recombine(*pair(ARCHITECTURES[0], normalization))
    others = np.concatenate([IMAGES[:1], 255.0 - IMAGES[1:]])
    a, b = run(network), run(network, others)
    assert (np.abs(a[0] - b[0]).max() > 1e-2) == (normalization == "batch")
    assert np.ptp(a, axis=0).max() > 1e-3  # logits depend on the image


def test_split_save_and_copy(tmp_path):
    network = by_layer_and_instance()
    random = np.random.default_rng(0)
    network.set_weights([w + 0.1 * random.normal(size=w.shape) for w in network.get_weights()])
    expected = run(network)
    extractor, head = networks.split(network, "unit_length")
    assert networks.feature_interface(extractor) == (8, 8, 64)
    np.testing.assert_allclose(run(networks.recombine(extractor, head)), expected, atol=1e-5)
    network.save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras")
    np.testing.assert_allclose(run(loaded), expected, atol=1e-5)
    copy = networks.copy_model(network)
    assert copy.get_config() == network.get_config()
    for a, b in zip(network.weights, copy.weights, strict=True):
        assert a is not b
        np.testing.assert_array_equal(a, b)


def test_mixed_bfloat16():
    with dtype_policy("mixed_bfloat16"):
        network = by_layer_and_instance()
    assert {w.dtype for w in network.weights} == {"float32"}
    norms = [x for x in network._flatten_layers() if x.name.endswith("_norm")]
    assert {norm.output.dtype for norm in norms} == {"bfloat16"}
    np.testing.assert_allclose(run(network), run(by_layer_and_instance()), atol=0.1)


def test_recalibration_leaves_alone_what_has_no_statistics():
    extractor, head = pair(ARCHITECTURES[0], "layer")
    again = deployment.recalibrate(extractor, head, IMAGES.astype("uint8"))
    for before, after in zip((extractor, head), again, strict=True):
        for a, b in zip(before.weights, after.weights, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("interface_channels", [8, None])
def test_features_of_unit_length(interface_channels):
    options = {"seed": 0, "interface_channels": interface_channels}
    plain = networks.build_extractor(ARCHITECTURES[0], SHAPE, **options)
    unit = networks.build_extractor(ARCHITECTURES[0], SHAPE, features="unit_length", **options)
    assert unit.output_shape == plain.output_shape
    for a, b in zip(plain.get_weights(), unit.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    features = run(plain)
    lengths = np.linalg.norm(features, axis=-1, keepdims=True)
    assert np.ptp(lengths) > 0.1
    np.testing.assert_allclose(run(unit), features / np.maximum(lengths, 1e-3), atol=1e-4)


def test_a_dense_head_has_the_same_weights_before_pooling():
    features = np.random.default_rng(0).normal(size=(2, 6, 4, 8)).astype("float32")
    pooled, dense = (
        networks.build_head(
            ARCHITECTURES[0], input_channels=8, classes=5, seed=0, normalization="layer", dense=x
        )
        for x in (False, True)
    )
    logits = run(dense, features)
    assert logits.shape == (2, 3, 2, 5)
    # The last layer is linear: logits of the mean are the mean of the logits.
    np.testing.assert_allclose(logits.mean((1, 2)), run(pooled, features), atol=1e-5)
    assert np.ptp(logits, axis=(1, 2)).max() > 0.1
    more = networks.extend_classes(dense, 7, seed=1)
    np.testing.assert_allclose(run(more, features)[..., :5], logits, atol=1e-5)


def test_a_registered_normalization_and_end_can_be_named(monkeypatch):
    def group(name):
        return keras.layers.GroupNormalization(2, name=name)

    monkeypatch.setitem(networks.NORMALIZATIONS._members, "group", group)
    monkeypatch.setitem(networks.FEATURES._members, "relu", keras.layers.ReLU(name="end"))
    extractor = pair(ARCHITECTURES[0], "group", features="relu")[0]
    assert extractor.layers[-1].name == "end"
    groups = {x.groups for x in extractor.layers if x.name.endswith("_norm")}
    assert groups == {2}


def test_unknown_names_list_the_nearest():
    for build in (
        lambda **options: networks.build("resnet8", SHAPE, 5, **options),
        lambda **options: networks.build_extractor("resnet8", SHAPE, **options),
        lambda **options: networks.build_head("resnet8", **options),
    ):
        with pytest.raises(InputError, match="normalization 'instanc'; did you mean 'instance'"):
            build(normalization="instanc")
    with pytest.raises(InputError, match="features 'unit'; did you mean 'unit_length'"):
        networks.build_extractor("resnet8", SHAPE, features="unit")
