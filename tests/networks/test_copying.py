"""Copies hold all that their originals hold: of every layer class of Keras, and of whole models."""

from __future__ import annotations

import inspect
import random
from functools import partial

import keras
import numpy as np
import pytest
from keras import layers

from keras_compat import networks
from keras_compat.errors import InputError
from keras_compat.networks.copying import Copies
from keras_compat.training import Task

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.uniform(size=(4, 8, 8, 3)).astype("float32")
SEQUENCES = RANDOM.uniform(size=(4, 6, 3)).astype("float32")
VOLUMES = RANDOM.uniform(size=(4, 6, 6, 6, 3)).astype("float32")
FILMS = RANDOM.uniform(size=(4, 2, 6, 6, 6, 3)).astype("float32")
VECTORS = RANDOM.uniform(size=(4, 3)).astype("float32")
NUMBERS = RANDOM.integers(0, 4, (4, 6))
BOXES = {
    "images": IMAGES,
    "bounding_boxes": {"boxes": np.ones((4, 2, 4), "float32"), "labels": np.ones((4, 2))},
}
TEXTS = [["cat dog"], ["dog"], ["cat"], ["bird"]]
SAMPLES = RANDOM.uniform(size=(2, 2048)).astype("float32")

# Bases, and what needs files or packages of other frameworks.
NO_LAYERS_TO_CALL = {"Layer", "Wrapper", "InputLayer"}
OTHER_FRAMEWORKS = {"FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper"}

# Arguments that a class does not make sense without, by their names.
ARGUMENTS = {
    "activation": "tanh",
    "axes": -1,
    "cell": lambda: layers.LSTMCell(2),
    "cells": lambda: [layers.LSTMCell(2), layers.GRUCell(3)],
    "dims": (2, 1),
    "equation": "...x,xy->...y",
    "factor": 0.5,
    "filters": 3,
    "function": lambda: lambda x: 2 * x,
    "head_dim": 2,
    "height": 4,
    "height_factor": 0.2,
    "input_dim": 4,
    "kernel_size": 3,
    "key_dim": 2,
    "layers": lambda: [layers.RandomZoom(0.2), layers.GaussianNoise(1.0)],
    "max_number": 3,
    "n": 2,
    "num_bins": 3,
    "num_heads": 2,
    "num_key_value_heads": 1,
    "num_query_heads": 2,
    "output_dim": 2,
    "output_shape": 4,
    "output_size": 2,
    "pool_size": 2,
    "rate": 0.5,
    "scale": 0.5,
    "stddev": 1.0,
    "target_shape": (-1,),
    "units": 3,
    "width": 4,
    "width_factor": 0.2,
}
MORE_ARGUMENTS = {
    "Bidirectional": {"layer": lambda: layers.GRU(3, stateful=True)},
    "CategoryEncoding": {"num_tokens": 4},
    "Discretization": {"num_bins": 3},
    "EinsumDense": {"output_shape": (4,)},
    "GRU": {"stateful": True, "dropout": 0.5},
    "LSTM": {"stateful": True},
    "LeakyReLU": {"negative_slope": 0.2},
    "MultiHeadAttention": {"dropout": 0.5},
    "RNN": {"stateful": True},
    "SpectralNormalization": {"layer": lambda: layers.Conv2D(3, 3)},
    "StringLookup": {"output_mode": "tf_idf"},
    "GroupNormalization": {"groups": 3},
    "MaxNumBoundingBoxes": {"bounding_box_format": "xyxy"},
    "RandomPosterization": {"factor": 4},
    "TimeDistributed": {"layer": lambda: layers.Normalization()},
}
INPUTS = {
    "Dot": [(VECTORS, 2 * VECTORS)],
    "Embedding": [NUMBERS],
    "GroupQueryAttention": [SEQUENCES, SEQUENCES],
    "HashedCrossing": [(NUMBERS[:, 0], NUMBERS[:, 1])],
    "Hashing": [NUMBERS],
    "IntegerLookup": [NUMBERS],
    "MaxNumBoundingBoxes": [BOXES],
    "MelSpectrogram": [SAMPLES],
    "Pipeline": [IMAGES],
    "Discretization": [VECTORS],
    "RNN": [SEQUENCES],
    "MultiHeadAttention": [SEQUENCES, SEQUENCES],
    "RepeatVector": [VECTORS],
    "ReversibleEmbedding": [NUMBERS],
    "STFTSpectrogram": [SAMPLES[..., None]],
    "StringLookup": [np.array(TEXTS)],
    "Subtract": [[VECTORS, 2 * VECTORS]],
    "TextVectorization": [np.array(TEXTS)],
    "CategoryEncoding": [NUMBERS],
    "AdditiveAttention": [[SEQUENCES, SEQUENCES]],
    "Attention": [[SEQUENCES, SEQUENCES]],
}
LISTS = [[VECTORS, 2 * VECTORS]]


def layer_classes():
    found = {x: name for name, x in sorted(vars(layers).items()) if inspect.isclass(x)}
    names = {name for x, name in found.items() if issubclass(x, layers.Layer)}
    return sorted(names - NO_LAYERS_TO_CALL - OTHER_FRAMEWORKS)


def made(name):
    """Makes a layer of a class with arguments that give it as much state as it can have."""
    cls = getattr(layers, name)
    parameters = inspect.signature(cls.__init__).parameters
    needed = [
        key
        for key, p in parameters.items()
        if key != "self" and p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD
    ]
    missing = [k for k in needed if k not in ARGUMENTS and k not in MORE_ARGUMENTS.get(name, {})]
    assert not missing, f"a new class: give an example of its arguments {missing} here"
    values = {key: ARGUMENTS[key] for key in needed if key in ARGUMENTS}
    values |= MORE_ARGUMENTS.get(name, {})
    lazy = {k: v() if inspect.isfunction(v) else v for k, v in values.items()}
    return cls(**lazy)


def inputs_of(name, layer):
    """Returns what a layer can be called with: of the kinds of inputs, the first that it takes."""
    if name in INPUTS:
        return INPUTS[name]
    if name.endswith(("Cell", "Cells")):
        return [VECTORS, layer.get_initial_state(batch_size=4)]
    for choice in (IMAGES, SEQUENCES, VOLUMES, FILMS, VECTORS, LISTS[0]):
        try:
            made(name)(choice)
            return [choice]
        except (ValueError, TypeError, IndexError):
            continue
    raise AssertionError(f"{name}: a new class: give an example of its inputs here")


def with_state(layer, inputs):
    """Gives a layer state that it does not start with: adapted, trained, called."""
    if hasattr(layer, "adapt"):
        layer.adapt(np.array(inputs[0]))
    outputs(layer, inputs)
    for variable in layer.weights:
        if keras.backend.is_float_dtype(variable.dtype):
            value = np.random.default_rng(1).uniform(0.5, 1.5, variable.shape)
            variable.assign(value.astype(variable.dtype))
    layer.trainable = False
    return layer


def outputs(layer, inputs):
    takes = inspect.signature(layer.call).parameters
    random.seed(0)  # of one class of Keras
    results = layer(*inputs, **({"training": True} if "training" in takes else {}))
    return [keras.ops.convert_to_numpy(x) for x in keras.tree.flatten(results)]


# On JAX every operation of every layer is compiled; whole models are tested there too.
@pytest.mark.once
@pytest.mark.parametrize("name", layer_classes())
def test_every_layer_of_keras(name):
    layer = made(name)
    inputs = inputs_of(name, layer)
    with_state(layer, inputs)
    copies = Copies()
    copy = copies.of(layer)
    copies.finish()
    assert copy is not layer
    assert [v.trainable for v in copy.variables] == [v.trainable for v in layer.variables]
    shared = {id(v) for v in layer.variables} & {id(v) for v in copy.variables}
    assert not shared
    # Twice: what is random goes on, and what has a state changes it.
    for _ in range(2):
        for ours, theirs in zip(outputs(copy, inputs), outputs(layer, inputs), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def adapted():
    layer = layers.Normalization()
    layer.adapt(IMAGES)
    return layer


def network(*held, name="network"):
    """A network with layers before its convolution; the last layer is dense."""
    x = images = keras.Input((8, 8, 3))
    for layer in held:
        x = layer(x)
    x = layers.Conv2D(4, 3, name="conv")(x)
    return keras.Model(images, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)), name=name)


class Centred(layers.Layer):
    """Holds what it learnt neither in weights nor in its config."""

    def __init__(self, scale, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale
        self.mean = None

    def adapt(self, images):
        self.mean = images.mean((0, 1, 2))

    def call(self, inputs):
        return self.scale * (inputs - keras.ops.convert_to_tensor(self.mean))


class CentredByObject(Centred):
    def adapt(self, images):
        super().adapt(images)
        self.by = object()


class Holding(layers.Layer):
    """Returns the layer itself in its config, and not a config of it."""

    def __init__(self, held, **kwargs):
        super().__init__(**kwargs)
        self.held = held

    def call(self, inputs):
        return self.held(inputs)

    def get_config(self):
        return {**super().get_config(), "held": self.held}


class Block(layers.Layer):
    """Leaves it to its first call to build the layers that it holds."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.adapted = layers.Normalization()
        self.dense = layers.Dense(3)

    def call(self, inputs):
        return self.dense(self.adapted(inputs))


def adapted_block():
    block = Block()
    block.adapted.adapt(IMAGES)
    return block


class Scaled(layers.Layer):
    """Has an argument that Keras cannot save."""

    def __init__(self, scale, **kwargs):
        super().__init__(**kwargs)
        self.call = scale


class Broken(layers.ReLU):
    @classmethod
    def from_config(cls, config):
        raise KeyError("max_value")


def centred(kind):
    layer = kind(2.0)
    layer.adapt(IMAGES)
    return layer


def activation_of_ours(x):
    return 3 * x


FACTOR = keras.ops.convert_to_tensor(3.0)
HELD = {
    "adapted": adapted,
    "adapted and nested": lambda: keras.Sequential([keras.Input((8, 8, 3)), adapted()]),
    "adapted and wrapped": lambda: layers.TimeDistributed(layers.Normalization(name="inner")),
    "wrapped model with a lambda": lambda: layers.TimeDistributed(
        keras.Sequential([keras.Input((8, 3)), layers.Lambda(lambda x: FACTOR * x)])
    ),
    "lambda": lambda: layers.Lambda(lambda x: FACTOR * x, output_shape=lambda s: s),
    "lambda of a partial function": lambda: layers.Lambda(partial(keras.ops.multiply, 3.0)),
    "lambda with arguments": lambda: layers.Lambda(lambda x, by: by * x, arguments={"by": 2.0}),
    "functions as activations": lambda: layers.Dense(3, activation=lambda x: 2 * x),
    "own function": lambda: layers.Activation(activation_of_ours),
    "plain values": lambda: centred(Centred),
    "a layer in a config": lambda: Holding(layers.Dense(3)),
    "layers built by a call": adapted_block,
    "models of layers built by a call": lambda: keras.Sequential(
        [keras.Input((8, 8, 3)), adapted_block()]
    ),
}


@pytest.mark.parametrize("held", HELD)
def test_whole_models(held):
    layer = HELD[held]()
    model = network(layer)
    for variable in layer.weights:
        if keras.backend.is_float_dtype(variable.dtype):
            variable.assign(np.random.default_rng(2).uniform(0.5, 2.0, variable.shape))
    model.layers[-1].trainable = False
    expected = model.predict_on_batch(IMAGES)
    extractor, head = networks.split(model, "conv")
    made = {
        "split": networks.recombine(extractor, head),
        "copy": networks.copy_model(model, "new"),
        "extended": networks.extend_classes(model, 5, seed=0),
    }
    for name, new in made.items():
        found = new.predict_on_batch(IMAGES)[:, :3]
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5, err_msg=name)
        assert not {id(v) for v in new.variables} & {id(v) for v in model.variables}
        assert [v.trainable for v in new.weights] == [v.trainable for v in model.weights]
    assert made["copy"].name == "new" and type(made["copy"]) is type(model)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (lambda: centred(CentredByObject), "'by' is set neither by its arguments nor in build"),
        (lambda: Broken(name="broken"), "'broken' .Broken. cannot be copied.*max_value"),
        (lambda: Scaled(lambda x: 2 * x, name="s"), "layer 's' .Scaled. cannot be copied; give it"),
    ],
)
def test_what_cannot_be_copied_is_refused_in_one_line(layer, message):
    model = network(layer())
    for make in (
        networks.copy_model,
        lambda model: networks.split(model, "conv"),
        lambda model: networks.extend_classes(model, 5),
    ):
        with pytest.raises(InputError, match=message) as error:
            make(model)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("change", ["lora", "int8"])
def test_dense_layers_that_were_changed_after_they_were_made(change):
    head = keras.Sequential([keras.Input((3,)), layers.Dense(8), layers.Dense(3)])
    if change == "lora":
        head.layers[1].enable_lora(2)
        head.layers[1].lora_kernel_b.assign(np.ones((2, 3)))
    else:
        head.quantize("int8")
    expected = head.predict_on_batch(VECTORS)
    for new in (networks.copy_model(head), networks.extend_classes(head, 5, seed=0)):
        np.testing.assert_allclose(new.predict_on_batch(VECTORS)[:, :3], expected, rtol=1e-5)
        assert [v.trainable for v in new.weights] == [v.trainable for v in head.weights]


class Built(keras.Model):
    """Has a constructor of its own."""

    def __init__(self, filters, **kwargs):
        images = keras.Input((8, 8, 3))
        super().__init__(images, layers.Conv2D(filters, 3)(adapted()(images)), **kwargs)
        self.filters = filters

    def get_config(self):
        return {"filters": self.filters, "name": self.name}


class Subclassed(keras.Model):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.normalization, self.dense = layers.Normalization(), layers.Dense(units)

    def get_config(self):
        return {"units": self.units, "name": self.name}

    def call(self, inputs):
        return self.dense(self.normalization(inputs))


def subclassed():
    model = Subclassed(2)
    model.normalization.adapt(IMAGES)
    model(IMAGES)
    return model


def by_a_call():
    model = keras.Sequential([adapted(), layers.Conv2D(4, 3)])
    model(IMAGES)
    return model


def compiled():
    model = network(adapted())
    model.compile("sgd", loss=lambda labels, logits: logits)
    return model


@pytest.mark.parametrize("make", [lambda: Built(5), subclassed, by_a_call, compiled])
def test_models_of_every_kind(make):
    model = make()
    copy = networks.copy_model(model)
    assert type(copy) is type(model) and copy.name == model.name
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(copy(IMAGES)), keras.ops.convert_to_numpy(model(IMAGES))
    )


def test_copied_weights_are_the_ones_that_count():
    source, target = network(adapted()), network(layers.Normalization())
    networks.copy_weights(source, target)
    np.testing.assert_allclose(
        target.predict_on_batch(IMAGES), source.predict_on_batch(IMAGES), rtol=1e-5
    )


@pytest.mark.parametrize(
    "use",
    [
        lambda model: networks.recombine(model, model),
        lambda model: networks.side_by_side(model, model, "both"),
        lambda model: networks.split(model, "conv"),
        lambda model: networks.extend_classes(model, 5),
        lambda model: networks.count_flops(model),
        lambda model: Task("task", model, network()),
        lambda model: Task("task", network(), model),
    ],
)
def test_sequential_models_without_a_shape_are_refused(use):
    with pytest.raises(InputError, match=r"begin.* with keras.Input\(shape\)"):
        use(keras.Sequential([layers.Dense(3)]))


def test_sequential_parts():
    extractor = keras.Sequential([layers.Conv2D(4, 3)], name="extractor")
    head = keras.Sequential([keras.Input((6, 6, 4)), layers.Flatten(), layers.Dense(3)])
    extractor(IMAGES[:2])
    whole = networks.recombine(extractor, head)
    assert whole.output_shape == (None, 3)
    np.testing.assert_allclose(
        whole.predict_on_batch(IMAGES),
        keras.ops.convert_to_numpy(head(extractor(IMAGES))),
        rtol=1e-4,
        atol=1e-5,
    )
