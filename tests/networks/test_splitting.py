"""Functional models of all shapes cut in two."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras.ops import convert_to_numpy as to_numpy

from keras_compat import layers, networks
from keras_compat.errors import InputError

IMAGES = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype("float32")


def conv(filters, name=None):
    return keras.layers.Conv2D(filters, 3, padding="same", name=name)


def randomize_normalization(model):
    generator = np.random.default_rng(1)
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([generator.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])


def assert_split_equals(model, layer, images=IMAGES, **kwargs):
    extractor, head = networks.split(model, layer, **kwargs)
    whole = networks.recombine(extractor, head)
    layers.set_statistics(whole, "moving")
    np.testing.assert_allclose(
        to_numpy(whole(images, training=False)),
        to_numpy(model(images, training=False)),
        atol=1e-5,
        rtol=1e-4,
    )
    return extractor, head


@pytest.fixture
def residual():
    images = keras.Input((8, 8, 3))
    x = conv(4, "first")(images)
    y = keras.layers.BatchNormalization(name="norm")(x)
    y = keras.layers.Activation("relu", name="branch")(y)
    y = keras.layers.Add(name="join")([x, y])
    y = keras.layers.GlobalAveragePooling2D(name="pool")(y)
    model = keras.Model(images, keras.layers.Dense(3, name="dense")(y), name="residual")
    randomize_normalization(model)
    return model


def test_cuts_at_bottlenecks_only(residual):
    assert networks.cut_points(residual) == ("first", "join", "pool")
    for point in networks.cut_points(residual):
        assert_split_equals(residual, point)
    with pytest.raises(InputError, match="'join' also comes from.*cut at 'first' or 'join'"):
        networks.split(residual, "branch")


def test_swaps_normalization(residual):
    extractor, head = networks.split(residual, residual.get_layer("join"))
    (ours,) = layers.normalization_layers(extractor)
    stock = residual.get_layer("norm")
    assert (ours.statistics, ours.momentum, ours.epsilon) == ("batch", 0.99, 1e-3)
    for a, b in zip(ours.get_weights(), stock.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert (extractor.name, head.name) == ("residual_extractor", "residual_head")
    assert head.input_shape == (None, None, None, 4)


@pytest.mark.once
def test_keras_applications():
    model = keras.applications.MobileNetV2((32, 32, 3), alpha=0.35, weights=None, classes=7)
    randomize_normalization(model)
    images = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype("float32")
    extractor, head = assert_split_equals(model, "block_11_add", images)
    assert head(np.zeros((1, 5, 9, extractor.output_shape[-1]), "float32")).shape == (1, 7)
    assert "block_11_project" not in networks.cut_points(model)
    stock = keras.layers.BatchNormalization
    assert not any(type(x) is stock for part in (extractor, head) for x in part.layers)


def test_nested_models_are_dissolved(tmp_path):
    inner = keras.Sequential(
        [keras.Input((8, 8, 3)), conv(4, "conv"), keras.layers.BatchNormalization(name="norm")],
        name="inner",
    )
    images = keras.Input((8, 8, 3))
    x = conv(3, "conv")(images)
    x = keras.layers.GlobalAveragePooling2D()(inner(x, training=False))
    model = keras.Model(images, keras.layers.Dense(2)(x), name="outer")
    randomize_normalization(model)
    for point in ("inner", "inner/conv", "conv", "norm"):
        extractor, _ = assert_split_equals(model, point)
    assert [x.name for x in extractor.layers[1:]] == ["conv", "conv_2", "norm"]
    extractor.save(tmp_path / "extractor.keras")
    loaded = keras.models.load_model(tmp_path / "extractor.keras")
    np.testing.assert_array_equal(to_numpy(loaded(IMAGES)), to_numpy(extractor(IMAGES)))


def test_nested_model_called_in_training_stays_so():
    inner = keras.Sequential([keras.Input((6,)), keras.layers.Dropout(0.5, name="drop")])
    features = keras.Input((6,))
    x = keras.layers.Dense(6, name="dense")(features)
    model = keras.Model(features, inner(x, training=True))
    _, head = networks.split(model, "dense")
    assert (to_numpy(head(np.ones((40, 6), "float32"))) == 0).any()


def test_shared_weights_stay_shared():
    shared = conv(3, "shared")
    images = keras.Input((8, 8, 3))
    x = conv(3, "first")(images)
    x = keras.layers.Flatten()(shared(shared(x)))
    model = keras.Model(images, keras.layers.Dense(2, name="dense")(x))
    _, head = assert_split_equals(model, "first")
    assert len(head.weights) == 4
    with pytest.raises(InputError, match="called more than once"):
        networks.split(model, "shared")


def test_a_layer_on_both_sides_is_refused():
    shared = keras.layers.Dense(3, name="shared")
    features = keras.Input((3,))
    x = keras.layers.ReLU(name="relu")(shared(features))
    model = keras.Model(features, shared(x))
    with pytest.raises(InputError, match="'shared' is used before and after"):
        networks.split(model, "relu")


def test_a_head_that_needs_the_size_keeps_it():
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), conv(4, "conv"), keras.layers.Flatten(), keras.layers.Dense(2)]
    )
    _, head = assert_split_equals(model, "conv")
    assert head.input_shape == (None, 8, 8, 4)


def pair(first="visible", second="infrared"):
    return keras.Input((8, 8, 3), name=first), keras.Input((8, 8, 3), name=second)


def difference(inputs):
    """A nested model that has not the same result for its inputs the other way round."""
    visible, infrared = keras.tree.flatten(inputs)
    return keras.Model(inputs, keras.layers.Subtract()([visible, infrared]), name="difference")


NESTED_CALLS = {
    "a list": lambda p, q: difference(list(pair()))([p, q]),
    "a tuple": lambda p, q: difference(pair())((p, q)),
    "a dict for a list": lambda p, q: difference(list(pair()))({"infrared": q, "visible": p}),
    "a dict": lambda p, q: difference({"visible": pair()[0], "infrared": pair()[1]})(
        {"visible": p, "infrared": q}
    ),
    "by keyword": lambda p, q: difference(list(pair()))(inputs={"infrared": q, "visible": p}),
    "a dict of lists": lambda p, q: difference({"images": list(pair())})({"images": [p, q]}),
}


@pytest.mark.parametrize("how", NESTED_CALLS)
@pytest.mark.parametrize("outer", [list, lambda x: dict(zip("pq", x, strict=True))])
def test_nested_models_get_their_inputs_in_order(how, outer):
    p, q = pair("p", "q")
    x = conv(4, "conv")(NESTED_CALLS[how](p, q))
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(outer([p, q]), keras.layers.Dense(3)(x))
    assert_split_equals(model, "conv", outer([IMAGES, IMAGES[::-1]]))


def test_a_nested_model_gets_its_inputs_in_its_dtype():
    inner = keras.Sequential([keras.Input((8, 8, 3)), conv(4)], name="inner")
    images = keras.Input((8, 8, 3), dtype="uint8")
    x = keras.layers.GlobalAveragePooling2D()(conv(4, "conv")(inner(images)))
    model = keras.Model(images, keras.layers.Dense(3)(x))
    assert_split_equals(model, "conv", np.arange(192, dtype="uint8").reshape(1, 8, 8, 3))


def test_operations_stay_and_outputs_keep_their_structure():
    images = keras.Input((8, 8, 3))
    x = keras.ops.mean(keras.ops.square(conv(4, "conv")(images)) + 1.0, axis=(1, 2))
    outputs = {name: keras.layers.Dense(n)(x) for n, name in enumerate(["z", "a", "k"], 1)}
    structure = {"logits": outputs["z"], "more": [outputs["a"], {"deep": outputs["k"]}]}
    model = keras.Model(images, structure)
    extractor, head = networks.split(model, "conv")
    whole = networks.recombine(extractor, head)
    for found in (head(extractor(IMAGES)), whole(IMAGES), networks.copy_model(model)(IMAGES)):
        keras.tree.assert_same_structure(found, structure)
        keras.tree.map_structure(
            lambda a, b: np.testing.assert_allclose(to_numpy(a), to_numpy(b), atol=1e-6),
            found,
            model(IMAGES),
        )


def test_a_layer_itself_is_found_whatever_others_are_named():
    inner = keras.Sequential([keras.Input((8, 8, 3)), conv(7, "conv"), conv(3)], name="inner")
    images = keras.Input((8, 8, 3))
    x = keras.layers.GlobalAveragePooling2D()(inner(conv(3, "conv")(conv(3, "first")(images))))
    model = keras.Model(images, keras.layers.Dense(2)(x))
    extractor, _ = assert_split_equals(model, inner.get_layer("conv"))
    assert extractor.output_shape[-1] == 7


@pytest.mark.parametrize(
    "layer",
    [conv(9, "first"), keras.layers.ReLU(), 3, None],
    ids=["namesake", "other", "3", "none"],
)
def test_what_is_no_layer_of_the_model_is_refused(residual, layer):
    with pytest.raises(InputError, match="expected one of its layers|expected the name of a layer"):
        networks.split(residual, layer)
    with pytest.raises(InputError, match="InputLayer. is none that model"):
        networks.split(residual, residual.layers[0])
    with pytest.raises(InputError, match="unknown layer 'jion'; did you mean 'join'"):
        networks.split(residual, "jion")
    with pytest.raises(InputError, match="leaves no head"):
        networks.split(residual, "dense")


def test_a_layer_of_two_places_is_refused():
    shared = conv(3, "shared")
    inner = keras.Sequential([keras.Input((8, 8, 3)), shared], name="inner")
    images = keras.Input((8, 8, 3))
    x = keras.layers.Flatten()(inner(conv(3)(shared(images))))
    model = keras.Model(images, keras.layers.Dense(2)(x))
    with pytest.raises(InputError, match="more than once, as 'shared' and 'inner/shared'"):
        networks.split(model, shared)


@keras.saving.register_keras_serializable("tests")
class Doubled(keras.layers.BatchNormalization):
    def call(self, inputs, training=None, mask=None):
        return 2 * super().call(inputs, training=False)


class DoubledModel(keras.Model):
    def call(self, inputs, training=None, mask=None):
        return 2 * super().call(inputs, training=training)


def test_subclasses_stay_what_they_are():
    features = keras.Input((8, 8, 4))
    inner = DoubledModel(features, conv(4)(features), name="inner")
    images = keras.Input((8, 8, 3))
    x = inner(Doubled(name="norm")(conv(4, "conv")(images)))
    model = keras.Model(images, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x)))
    randomize_normalization(model)
    for cut in ("conv", "norm", "inner"):
        assert_split_equals(model, cut)
    with pytest.raises(InputError, match="is a DoubledModel; expected a functional Keras model"):
        networks.split(inner, "conv2d")


def test_a_mask_is_not_lost():
    tokens = keras.Input((6,), dtype="int32")
    x = keras.layers.Embedding(9, 4, mask_zero=True, name="embedding")(tokens)
    x = keras.layers.LSTM(3, name="lstm")(x)
    model = keras.Model(tokens, keras.layers.Dense(2, name="dense")(keras.layers.Dense(3)(x)))
    with pytest.raises(InputError, match="'embedding'.*cut at 'lstm'"):
        networks.split(model, "embedding")
    assert_split_equals(model, "lstm", np.array([[1, 2, 3, 0, 0, 0]]))
    normalized = keras.layers.BatchNormalization(name="norm")
    inputs = [tokens, normalized(model.get_layer("embedding").output)]
    masked = keras.Model(tokens, keras.layers.LSTM(2)(inputs[1]))
    with pytest.raises(InputError, match="'norm' .BatchNormalization. is given a mask"):
        networks.split(masked, "norm")


def test_a_layer_may_have_the_name_of_the_heads_input():
    images = keras.Input((8, 8, 3))
    x = keras.layers.ReLU(name="features")(conv(4, "conv")(images))
    model = keras.Model(images, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x)))
    assert_split_equals(model, "conv")


def test_an_output_beside_the_cut_is_refused():
    images = keras.Input((8, 8, 3))
    x = conv(4, "trunk")(images)
    a, b = conv(2, "a")(x), conv(2, "b")(x)
    model = keras.Model(images, [conv(1)(a), b])
    with pytest.raises(InputError, match="cut at 'trunk'"):
        networks.split(model, "a")
    two = keras.Model([images, (other := keras.Input((8, 8, 4)))], keras.layers.Add()([x, other]))
    with pytest.raises(InputError, match="no layer of this model"):
        networks.split(two, "trunk")


@pytest.mark.parametrize(("channels", "lossless"), [(6, True), (4, True), (2, False)])
def test_interface_channels(residual, channels, lossless):
    extractor, head = networks.split(residual, "join", channels, seed=0)
    assert extractor.output_shape[-1] == head.input_shape[-1] == channels
    whole = networks.recombine(extractor, head)
    layers.set_statistics(whole, "moving")
    difference = np.abs(to_numpy(whole(IMAGES)) - to_numpy(residual(IMAGES))).max()
    assert (difference < 1e-5) == lossless


def test_bad_models(residual):
    class Subclassed(keras.Model):
        pass

    with pytest.raises(InputError, match="is a Subclassed; expected a functional"):
        networks.split(Subclassed(), "x")
    with pytest.raises(InputError, match="without an input shape; begin it with keras.Input"):
        networks.split(keras.Sequential([conv(1)]), "x")
    with pytest.raises(InputError, match="got \\(4,\\)"):
        networks.split(residual, "pool", interface_channels=3)
    renormalized = keras.Sequential(
        [keras.Input((4,)), keras.layers.BatchNormalization(renorm=True, name="n")]
    )
    with pytest.raises(InputError, match="batch renormalization"):
        networks.split(renormalized, "n")
