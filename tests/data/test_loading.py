from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from keras_compat import data
from keras_compat.data import images
from keras_compat.errors import InputError
from tests.helpers import python


def test_digits_are_all_there_split_in_a_fixed_stratified_way():
    dataset = data.load("digits")
    assert (len(dataset.train), len(dataset.test)) == (1438, 359)
    assert dataset.image_shape == (8, 8, 1)
    assert not dataset.flippable
    assert dataset.class_names == tuple("0123456789")
    raw = load_digits().images
    everything = np.concatenate([dataset.train.images, dataset.test.images])[..., 0]
    scaled = np.rint(raw * 255 / 16).astype(np.uint8)
    assert sorted(map(bytes, everything)) == sorted(map(bytes, scaled))
    assert everything.max() == 255
    counts = [np.bincount(part.labels) for part in (dataset.train, dataset.test)]
    assert np.abs(counts[1] / (counts[0] + counts[1]) - 0.2).max() < 0.005


def test_shrinking_is_antialiased():
    stripes = np.zeros((1, 64, 64, 1), np.uint8)
    stripes[:, :, ::2] = 255
    small = images.conform(stripes, 16, None)[0, 2:-2, 2:-2]
    # Without a filter every pixel would be one of the stripes: all black or all white.
    assert abs(small.astype(int) - 127.5).max() < 5


def test_growing_is_bilinear():
    step = np.array([[0, 255]], np.uint8).reshape(1, 1, 2, 1)
    assert images.conform(step, 8, None)[0, 0, :, 0].tolist() == [0, 0, 32, 96, 159, 223, 255, 255]


def test_any_shape_comes_out_square():
    assert images.conform(np.zeros((2, 40, 24, 3), np.uint8), 32, 1).shape == (2, 32, 32, 1)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([0.0, np.nan]), "NaN"),
        (np.array([0.0, np.inf]), "infinite"),
        (np.array([0.0, 255.0]), "floats in [0, 255]"),
        (np.array([-0.5, 1.0]), "floats in [-0.5, 1]"),
        (np.array([0, 256]), "integers in [0, 256]"),
        (np.array([-1, 25]), "integers in [-1, 25]"),
        (np.array(["a"]), "type"),
        (np.array([1j]), "type"),
        (np.array([0, 100], np.int8), "type"),
        *(
            (np.array([0, high], dtype), f"integers of at most {high}, which are nearly black")
            for dtype in (np.uint8, np.uint16, np.int64)
            for high in (1, 16, 63)
        ),
        (np.array([0, 65535], np.uint16), "integers in [0, 65535]"),
        (np.array([0, 1 / 255 / 255]), "nearly black in [0, 1]"),
    ],
)
def test_values_that_are_no_pixels_are_refused(values: np.ndarray, message: str):
    with pytest.raises(InputError) as caught:
        images.to_uint8(values, "x")
    assert message in str(caught.value)


def test_pixels_of_other_types_are_taken():
    assert images.to_uint8(np.array([0, 255], np.int64), "x").tolist() == [0, 255]
    assert images.to_uint8(np.array([0, 1], np.float16), "x").tolist() == [0, 255]
    assert images.to_uint8(np.empty((0, 2)), "x").shape == (0, 2)
    assert images.to_uint8(np.array([False, True]), "x").tolist() == [0, 255]
    assert images.to_uint8(np.array([0, 200], ">u2"), "x").tolist() == [0, 200]
    assert images.to_uint8(np.zeros(3, np.int32), "x").tolist() == [0, 0, 0]
    assert images.to_uint8(np.array([0, 20 / 255]), "x").tolist() == [0, 20]


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        ("digits", {"image_size": 0}, "image_size is 0"),
        ("digits", {"image_size": 200_000}, "image_size is 200000; expected 1 to 8192"),
        ("digits", {"image_size": 8192}, "digits take 112.3 GiB; the limit is 4 GiB"),
        ("folder:a\0b", {}, "a zero byte"),
        ("digits", {"channels": 2}, "channels is 2"),
        ("digits", {"memory_limit_bytes": -1}, "memory_limit_bytes is -1"),
    ],
)
def test_bad_arguments(spec: str, options: dict, message: str):
    with pytest.raises(InputError, match="^[^\n]*$") as caught:
        data.load(spec, **options)
    assert message in str(caught.value)


WITHOUT_TENSORFLOW = """
import sys
sys.modules["tensorflow"] = sys.modules["tensorflow_datasets"] = None
from keras_compat import data
dataset = data.load("digits")
list(dataset.test.evaluation_batches(100))
dataset.fingerprint()
assert "keras" not in sys.modules
try:
    data.load("cifar10")
except data.loading.InputError as error:
    print(error)
"""


def test_embedded_data_need_neither_tensorflow_nor_keras():
    done = python("-c", WITHOUT_TENSORFLOW)
    assert "the data set 'cifar10' (TFDS) needs the package" in done.stdout
    assert "pip install 'keras_compat[tensorflow]'" in done.stdout


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("image_size", value) for value in (2.5, "8", True, (8, 8))),
        *(("channels", value) for value in ("3", [3], 1.0)),
        *(("data_dir", value) for value in (5, b"sets", "a\0b")),
        *(("memory_limit_bytes", value) for value in ("5", 1.5, float("nan"), None)),
    ],
)
def test_options_of_another_type_are_refused(name: str, value: object):
    with pytest.raises(InputError, match=f"^{name} is .*; expected"):
        data.load("digits", **{name: value})


@pytest.mark.parametrize("spec", [None, 5, Path("digits"), b"digits"])
def test_a_spec_that_is_no_text_is_refused(spec: object):
    with pytest.raises(InputError, match="is not a string"):
        data.load(spec)
