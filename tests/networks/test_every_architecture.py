"""One battery that every registered architecture passes; new ones are in it by themselves."""

from __future__ import annotations

import functools

import keras
import numpy as np
import pytest
from keras.ops import convert_to_numpy as to_numpy

from keras_compat import networks
from tests.helpers import dtype_policy

# Tested narrow, and with the same layers again and again: JAX compiles each shape of a layer.
NARROW = {
    "resnet": "resnet:depth=8,filters=4",
    "wide_resnet": "wide_resnet:depth=10,width=1",
    **{name: f"{name}:filters=4" for name in ("resnet8", "resnet20", "resnet56")},
    **{f"wide_resnet{depth}": f"wide_resnet{depth}:width=1" for depth in (10, 28, 56)},
    **{name: f"{name}:width=0.25" for name in ("mobilenet_v2", "mobilenet_v2_small")},
}
# Of these only three points are tried; small members of their families are cut at every one.
LARGE = ("resnet20", "resnet56", "wide_resnet28", "wide_resnet56", "mobilenet_v2")
SHAPE = (8, 8, 3)
IMAGES = np.random.default_rng(0).integers(0, 256, (3, *SHAPE)).astype("float32")

# Deep ones of the families whose shallow members are tested each time.
DEEP = ("resnet56", "wide_resnet28", "wide_resnet56")
SLOW = dict.fromkeys(DEEP, pytest.mark.slow)
every_architecture = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=SLOW.get(name, ())) for name in networks.ARCHITECTURES]
)


def narrow(name):
    return NARROW.get(name, name)


@functools.cache
def network(name):
    return networks.build(narrow(name), SHAPE, 5, seed=0)


@functools.cache
def logits(name):
    return to_numpy(network(name)(IMAGES))


def points(name):
    blocks = [p for p in networks.split_points(narrow(name)) if not is_alias(p)]
    if name not in LARGE:
        return blocks
    return [blocks[0], networks.default_split(narrow(name)), blocks[-1]]


def is_alias(point):
    return point in ("stage1", "stage2", "stage3")


@every_architecture
def test_extractor_and_head_equal_the_unsplit_network_at_every_point(name):
    assert 0.01 < np.abs(logits(name)).mean() < 100  # weights keep the scale
    for point in points(name):
        extractor = networks.build_extractor(narrow(name), SHAPE, point, None, seed=0)
        channels = networks.feature_interface(extractor)[-1]
        head = networks.build_head(narrow(name), point, channels, classes=5, seed=0)
        np.testing.assert_array_equal(to_numpy(head(extractor(IMAGES))), logits(name), point)


@every_architecture
def test_split_copies_weights_and_equals_the_network(name):
    weights = network(name).get_weights()
    for point in {points(name)[0], networks.default_split(narrow(name)), points(name)[-1]}:
        extractor, head = networks.split(network(name), point)
        whole = networks.recombine(extractor, head)
        np.testing.assert_array_equal(to_numpy(whole(IMAGES)), logits(name), point)
        assert networks.count_parameters(whole) == networks.count_parameters(network(name))
        head.set_weights([np.zeros_like(w) for w in head.get_weights()])
    for before, after in zip(weights, network(name).get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


@every_architecture
def test_config_and_file_round_trip(name, tmp_path):
    extractor = networks.build_extractor(narrow(name), SHAPE, seed=0)
    head = networks.build_head(narrow(name), classes=5, seed=0)
    x = IMAGES
    for model in (extractor, head):
        again = type(model).from_config(model.get_config())
        assert again.get_config() == model.get_config()
        path = tmp_path / "model.keras"
        model.save(path)
        loaded = keras.models.load_model(path)
        outputs = to_numpy(model(x))
        np.testing.assert_array_equal(to_numpy(loaded(x)), outputs)
        x = outputs
    assert x.shape == (3, 5)


@every_architecture
def test_any_size_in_and_classes_out(name):
    extractor = networks.build_extractor(narrow(name), (None, None, 1), seed=0)
    head = networks.build_head(narrow(name), classes=7, seed=0)
    assert head.layers[-1].name == "logits"
    for size in [(8, 8), (16, 24), (33, 17)]:
        features = extractor.compute_output_shape((2, *size, 1))
        assert features[-1] == 64
        assert features[1] <= size[0]
        assert head.compute_output_shape(features) == (2, 7)
    dense = networks.build_head(narrow(name), classes=5, seed=0, dense=True)
    assert dense.layers[-1].name == "logits"
    assert dense.compute_output_shape((2, 16, 12, 64)) in [(2, 16, 12, 5), (2, 8, 6, 5)]
    if name not in LARGE:
        images = np.zeros((2, 9, 5, 1), "float32")
        assert networks.recombine(extractor, head)(images).shape == (2, 7)


@every_architecture
def test_weights_follow_from_the_seed(name):
    first, same, other = (networks.build(narrow(name), SHAPE, 5, seed=s) for s in (3, 3, 4))
    kernels = [w.path for w in first.trainable_weights if "kernel" in w.path]
    pairs = zip(first.weights, same.weights, other.weights, strict=True)
    for a, b, c in pairs:
        np.testing.assert_array_equal(to_numpy(a), to_numpy(b))
        assert a.path not in kernels or np.abs(to_numpy(a) - to_numpy(c)).max() > 0
    values = [to_numpy(w) for w in first.trainable_weights if "kernel" in w.path]
    assert len({v.ravel()[0] for v in values}) == len(kernels) > 5


@pytest.mark.parametrize(
    ("name", "policy"),
    [
        ("resnet", "mixed_float16"),
        ("wide_resnet", "mixed_bfloat16"),
        ("mobilenet_v2_small", "mixed_float16"),
    ],
)
def test_mixed_precision(name, policy):
    with dtype_policy(policy):
        extractor = networks.build_extractor(narrow(name), SHAPE, seed=0)
        head = networks.build_head(narrow(name), classes=5, seed=0)
    features = extractor(IMAGES)
    outputs = head(features)
    assert keras.backend.standardize_dtype(features.dtype) == policy.removeprefix("mixed_")
    assert keras.backend.standardize_dtype(outputs.dtype) == "float32"
    full = networks.build_extractor(narrow(name), SHAPE, seed=0)
    reference = to_numpy(networks.recombine(full, networks.copy_model(head))(IMAGES))
    np.testing.assert_allclose(to_numpy(outputs), reference, atol=0.3)
