"""LiteRT files of 8 bits take images in the range that the model was trained on."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from keras_compat.deployment import LiteRTExport
from keras_compat.deployment.representative import check_representative, image_range
from keras_compat.errors import InputError
from tests.deployment.in_process import export, run

pytestmark = pytest.mark.once
DIGITS = load_digits()
TRAINED = 1400
# What is made of digits from 0 to 16 before they go into a network.
PREPROCESSED = {
    "0 to 1": (1 / 16, 0, "float32"),
    "-1 to 1": (1 / 8, -1, "float64"),
    "0 to 16": (1, 0, "float32"),
    "whole numbers": (1, 0, "int64"),
    "standardized": (1 / 6, -0.8, "float32"),
    "thousands": (60, 0, "float32"),
    "0 to 255": (255 / 16, 0, "float32"),
    "uint8": (15, 0, "uint8"),
}

PIXELS = ("0 to 1", "-1 to 1", "uint8")


def preprocessed(name):
    factor, shift, kind = PREPROCESSED[name]
    return (DIGITS.images * factor + shift).astype(kind)[..., None]


@pytest.fixture(scope="module")
def solved():
    """A network that knows digits from 0 to 16, by least squares on features of random weights."""
    generator = np.random.default_rng(0)
    kernel, bias = generator.normal(0, 0.1, (3, 3, 1, 16)), np.zeros(16)
    model = digits_network([kernel, bias, np.zeros((576, 10)), np.zeros(10)])
    features = np.array(model.layers[-2](model.layers[1](DIGITS.images[:TRAINED, ..., None])))
    wanted = np.eye(10)[DIGITS.target[:TRAINED]]
    features -= (mean := features.mean(axis=0))
    squares = features.T @ features
    dense = np.linalg.solve(
        squares + 0.01 * squares.trace() / 576 * np.eye(576), features.T @ wanted
    )
    return [kernel, bias, dense, 0.1 - mean @ dense]


def digits_network(weights):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(16, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(10),
        ]
    )
    model.set_weights(weights)
    return keras.Model(model.inputs, model.outputs)


def network_for(name, solved):
    """The same network for images of another range: what makes it is in the first weights."""
    factor, shift, _ = PREPROCESSED[name]
    kernel, bias, *dense = solved
    kernel = kernel / factor
    return digits_network([kernel, bias - shift * kernel.sum(axis=(0, 1, 2)), *dense])


@pytest.fixture(scope="module")
def accuracies(solved, tmp_path_factory):
    """Of each range: right answers in float32 and in 8 bits, and what the files say of images."""
    folder = tmp_path_factory.mktemp("ranges")
    jobs, files = [], {}
    for name in PREPROCESSED:
        images, model = preprocessed(name), network_for(name, solved)
        eight = {"quantization": "int8", "representative": images[:300]}
        files[name] = [folder / f"{name}{suffix}.tflite" for suffix in ("", "_int8", "_uint8")]
        jobs.append(LiteRTExport(model, files[name][0]))
        jobs.append(LiteRTExport(model, files[name][1], **eight))
        if name in PIXELS:
            jobs.append(LiteRTExport(model, files[name][2], **eight, uint8_input=True))
    export(jobs)
    found = {}
    for name, (single, eight, uint8) in files.items():
        images = preprocessed(name)[TRAINED:].astype("float32")
        right = [
            (logits.argmax(1) == DIGITS.target[TRAINED:]).mean()
            for logits in (run(images, file) for file in (single, eight))
        ]
        said = [
            json.loads(path.with_suffix(".json").read_text())["input"]
            for path in (eight, uint8)
            if path.exists()
        ]
        found[name] = (*right, *said)
    return found


@pytest.mark.parametrize("name", PREPROCESSED)
def test_eight_bits_are_as_accurate_in_any_range(accuracies, name):
    single, eight, *_ = accuracies[name]
    assert single > 0.85
    assert eight > single - 0.02


def test_files_say_what_makes_their_range_of_pixels(accuracies):
    said = {name: found[2] for name, found in accuracies.items()}
    for name, (low, high) in {
        "0 to 1": (0, 1),
        "-1 to 1": (-1, 1),
        "0 to 255": (0, 255),
        "uint8": (0, 255),
    }.items():
        about = said[name]
        pixels = (np.array([0, 255]) - about["mean"][0]) / about["std"][0]
        np.testing.assert_allclose(pixels, [low, high], atol=1e-6)
        assert about["range"] == [low, high]
    for name in ("standardized", "thousands", "0 to 16"):
        assert "mean" not in said[name] and said[name]["range"][1] < 1000


@pytest.mark.parametrize("name", PIXELS)
def test_uint8_is_a_pixel_whatever_the_range(accuracies, name):
    about = accuracies[name][3]
    low, high = about["range"]
    codes = np.arange(256)
    values = (codes - about["zero_point"]) * about["scale"]
    assert about["type"] == "uint8"
    np.testing.assert_allclose(values, low + codes * (high - low) / 255, atol=about["scale"])


@given(
    low=st.floats(-1e6, 1e6),
    width=st.floats(1e-3, 1e6),
    kind=st.sampled_from(["float32", "float64", "int32"]),
)
def test_a_range_holds_all_that_it_was_taken_from(low, width, kind):
    values = np.linspace(low, low + width, 12).astype(kind)
    (start, end), _ = image_range(values, False, "a.tflite")
    assert start <= values.min() and values.max() <= end
    try:
        (start, end), pixels = image_range(values, True, "a.tflite")
    except InputError as error:
        assert "expected images in [0, 255], [0, 1] or [-1, 1]" in str(error)
    else:
        assert pixels and start <= values.min() and values.max() <= end


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (None, "of shape None"),
        (np.zeros((0, 4)), r"of shape \(0, 4\)"),
        (np.zeros((20, 5)), r"of shape \(20, 5\); expected some hundred inputs of \(4,\)"),
        (np.float32(3), r"of shape \(\)"),
        (np.eye(4)[:3], "holds 3 inputs; expected 10 or more"),
        (np.full((20, 4), 0.5), "holds nothing but 0.5"),
        (np.where(np.eye(20, 4), np.nan, 1), "NaN or infinite"),
        (np.where(np.eye(20, 4), -np.inf, 1), "NaN or infinite"),
        (np.eye(20, 4).astype("str"), "of type <U32; expected numbers"),
        (np.eye(20, 4).astype(complex), "of type complex128"),
    ],
)
def test_inputs_that_show_nothing(inputs, message):
    with pytest.raises(InputError, match=message):
        check_representative(inputs, (4,), "a.tflite")


def test_lists_and_truth_values_are_numbers_too():
    check_representative(np.eye(20, 4).tolist(), (4,), "a.tflite")
    check_representative(np.eye(20, 4, dtype=bool), (4,), "a.tflite")


@pytest.mark.parametrize("kind", ["bool", "int16"])
def test_black_and_white_of_0_and_1_are_no_pixels_of_8_bits(kind):
    masks = np.eye(20, 4).astype(kind)
    assert image_range(masks, False, "a.tflite") == ((0, 1), True)
    if kind == "int16":
        with pytest.raises(InputError, match="from 0 to 1; expected images in"):
            image_range(masks, True, "a.tflite")
