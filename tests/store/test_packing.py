"""From models to bytes and back."""

import resource
from dataclasses import replace

import keras
import numpy as np
import pytest

from keras_compat import networks
from keras_compat.errors import InputError
from keras_compat.evaluation import ChannelStatistics, recalibrate
from keras_compat.store import Component, pack, unpack
from keras_compat.store.errors import BadWeightsError, UnknownArchitectureError
from keras_compat.store.packing import auxiliary_record
from keras_compat.store.recipes import describe_extractor, outline, record_architecture
from keras_compat.store.weights import bytes_of
from tests.store import made

# On JAX components are read that TensorFlow wrote: test_releases.py.
pytestmark = pytest.mark.once

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 1)).astype("float32")


def same(one, other, inputs):
    found = [model.predict_on_batch(inputs) for model in (one, other)]
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("normalization", ["batch", "layer", "instance"])
@pytest.mark.parametrize(
    "architecture", ["resnet8:filters=4", "wide_resnet10@stage1", "mobilenet_v2_small@block1"]
)
def test_every_architecture_comes_back(architecture, normalization):
    made_with = {"normalization": normalization, "seed": 1}
    extractor = networks.build_extractor(
        architecture, (16, 16, 1), interface_channels=8, features="unit_length", **made_with
    )
    head = networks.build_head(architecture, input_channels=8, classes=3, **made_with)
    component = Component(
        extractor, head, architecture, architecture, class_names=("a", "b", "c"), licence="MIT"
    )
    found = unpack(pack(component), "pair@1")
    assert found.kind == "network" and found.licence == "MIT"
    same(extractor, found.extractor, IMAGES)
    features = extractor.predict_on_batch(IMAGES)
    same(head, found.head, features)


def test_the_same_weights_give_the_same_bytes():
    one, other = (pack(made.head(seed=3)).files["weights.safetensors"] for _ in range(2))
    assert one == other


def test_moving_statistics_stay_so():
    extractor = made.extractor().extractor
    head = made.head().head
    images = IMAGES[:, :8, :8]
    extractor, head = recalibrate(extractor, head, images)
    packed = pack(Component(extractor, head, made.EXTRACTOR, made.HEAD, class_names=("cat", "dog")))
    assert packed.manifest.statistics == "moving"
    found = unpack(packed, "pair@1")
    same(extractor, found.extractor, images[:1])


def test_auxiliary_heads_are_known_by_their_weights():
    package = pack(made.rotation_head())
    record = auxiliary_record(package, "frozen")
    trained = pack(replace(made.extractor(), auxiliaries=[record]))
    assert trained.manifest.families == package.manifest.families == {record.sha256}
    with pytest.raises(InputError, match="expected an auxiliary head"):
        auxiliary_record(made.head_package(), "shared")


def test_another_model_than_was_said():
    extractor = made.extractor().extractor
    more = keras.layers.ReLU(name="more")(extractor.output)
    for model, architecture in (
        (extractor, "resnet8@stage2"),
        (extractor, "mobilenet_v2_small@block1"),
        (extractor, "mobilenet_v2@block2"),
        (keras.Model(extractor.input, more, name="more"), made.EXTRACTOR),
    ):
        with pytest.raises(InputError, match="is not .* as this package builds it"):
            pack(Component(extractor=model, extractor_architecture=architecture))


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("logits.kernel", np.nan, "'logits/kernel' of head@1 holds values"),
        ("logits.kernel", np.inf, "'logits/kernel' of head@1 holds values"),
        ("stage3_block1_1_norm.moving_variance", -1, "negative variances"),
    ],
)
def test_weights_that_no_network_has_are_not_published(place, value, message):
    component = made.head()
    layer, _, name = place.partition(".")
    variable = getattr(component.head.get_layer(layer), name)
    variable.assign(keras.ops.full(variable.shape, value))
    with pytest.raises(BadWeightsError, match=message):
        pack(component, "head@1")


def test_a_head_without_its_class_names():
    head = made.head()
    with pytest.raises(InputError, match="0 class names; expected 2"):
        pack(Component(head=head.head, head_architecture=made.HEAD))


def test_looking_at_a_network_of_gigabytes_takes_no_memory_later_either():
    record = describe_extractor(made.extractor().extractor, made.EXTRACTOR)
    large = record_architecture("wide_resnet:depth=28,width=160@stage3")
    record = record.model_copy(update={"architecture": large, "interface_channels": None})
    assert bytes_of(outline(record).shapes) > 8 * 2**30
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with keras.StatelessScope():
        pass  # gives a value to every variable that waits for one
    made.extractor().extractor.predict_on_batch(IMAGES[:, :8, :8])
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert (after - before) * 1024 < 500 * 2**20


@pytest.mark.parametrize(
    ("architecture", "part"),
    [("resnet56@stage3", "head"), ("resnet56@stem", "extractor"), ("resnet8@stage3", "head")],
)
def test_a_small_part_of_a_deep_network_comes_back(architecture, part):
    if part == "head":
        model = networks.build_head(architecture, classes=2, seed=0)
        component = Component(
            head=model, head_architecture=architecture, class_names=("cat", "dog")
        )
    else:
        model = networks.build_extractor(architecture, (16, 16, 1), seed=0)
        component = Component(extractor=model, extractor_architecture=architecture)
    found = unpack(pack(component), "part@1").models[0]
    for one, other in zip(model.get_weights(), found.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_architecture_of_depths_that_nobody_builds():
    record = describe_extractor(made.extractor().extractor, made.EXTRACTOR)
    deep = record.architecture.model_copy(
        update={"name": "resnet", "arguments": {"depth": 1400, "filters": 4}, "split": "stem"}
    )
    with pytest.raises(UnknownArchitectureError, match="700 blocks; expected 128"):
        outline(record.model_copy(update={"architecture": deep}))


def test_a_model_that_is_no_part_at_all():
    vector = keras.Input((64,))
    dense = keras.Model(vector, keras.layers.Dense(2, name="logits")(vector), name="dense")
    several = keras.Model([vector, keras.Input((8, 8, 1))], vector, name="several")
    for model in (dense, several):
        with pytest.raises(InputError) as caught:
            pack(Component(extractor=model, extractor_architecture="resnet8"))
        assert "\n" not in str(caught.value)


def test_statistics_of_other_features_are_not_published():
    component = replace(made.head(), feature_statistics=ChannelStatistics(np.zeros(3), np.ones(3)))
    with pytest.raises(InputError, match="feature_statistics/mean"):
        pack(component)


def test_without_batch_normalization_single_images_will_do():
    head = networks.build_head(made.HEAD, input_channels=8, classes=2, normalization="layer")
    package = pack(Component(head=head, head_architecture=made.HEAD, class_names=("a", "b")))
    assert package.manifest.statistics == "moving"
