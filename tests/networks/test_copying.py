"""Copies hold all that their originals hold: of every layer class of Keras, and of whole models."""

from __future__ import annotations

import inspect
import random

import keras
import numpy as np
import pytest
from keras import layers

from keras_compat.networks.copying import Copies

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
