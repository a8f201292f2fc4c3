from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from keras_compat import data
from keras_compat.errors import InputError


def arrays(**changes) -> dict[str, np.ndarray]:
    """A sound file of two classes, with some arrays replaced or, by `None`, left out."""
    random = np.random.default_rng(0)
    sound = {
        "x_train": random.integers(0, 256, (6, 8, 8, 3), np.uint8),
        "y_train": np.array([0, 1, 0, 1, 0, 1]),
        "x_test": random.integers(0, 256, (4, 8, 8, 3), np.uint8),
        "y_test": np.array([1, 0, 1, 0]),
        "classes": np.array(["cat", "dog"]),
    }
    return {k: v for k, v in {**sound, **changes}.items() if v is not None}


def load(folder: Path, contents: dict[str, np.ndarray], **options) -> data.ImageDataset:
    np.savez(folder / "pets.npz", **contents)
    return data.load(f"npz:{folder / 'pets.npz'}", **options)


def test_arrays_come_as_they_are(tmp_path: Path):
    contents = arrays()
    dataset = load(tmp_path, contents)
    np.testing.assert_array_equal(dataset.train.images, contents["x_train"])
    np.testing.assert_array_equal(dataset.test.labels, contents["y_test"])
    assert dataset.name == "pets"
    assert dataset.class_names == ("cat", "dog")
    assert dataset.photographs


def test_the_older_name_of_the_class_names(tmp_path: Path):
    contents = arrays(classes=None, class_names=np.array([b"cat", b"dog"]))
    assert load(tmp_path, contents).class_names == ("cat", "dog")


def test_without_class_names_classes_are_numbers_and_nothing_is_mirrored(tmp_path: Path):
    dataset = load(tmp_path, arrays(classes=None))
    assert dataset.class_names == ("0", "1")
    assert not dataset.photographs


def test_floats_grey_images_and_label_columns(tmp_path: Path):
    dataset = load(
        tmp_path,
        arrays(
            x_train=np.linspace(0, 1, 6 * 25).reshape(6, 5, 5),
            x_test=np.zeros((4, 5, 5), np.int32),
            y_train=np.array([[0], [1], [0], [1], [0], [1]], np.uint8),
        ),
        image_size=10,
    )
    assert dataset.image_shape == (10, 10, 1)
    assert dataset.train.images.max() == 255


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_test": None, "y_test": None}, "has no x_test, y_test"),
        ({"x_train": np.full((6, 8, 8, 3), np.nan)}, "NaN"),
        ({"x_train": np.full((6, 8, 8, 3), 255.0)}, "floats in [255, 255]"),
        ({"x_train": np.full((6, 8, 8, 3), 256)}, "integers in [256, 256]"),
        ({"x_train": np.zeros((6, 8, 8, 2), np.uint8)}, "shape (6, 8, 8, 2)"),
        ({"x_train": np.zeros((6, 64), np.uint8)}, "shape (6, 64)"),
        ({"x_train": np.zeros((5, 8, 8, 3), np.uint8)}, "5 images in x_train but 6 labels"),
        ({"x_train": np.array([None] * 6), "y_train": None}, "has no y_train"),
        ({"x_train": np.array([None] * 6)}, "pickled objects, which are refused"),
        ({"classes": np.array(["cat", "dog"], object)}, "pickled objects"),
        ({"classes": np.array([1, 2])}, "expected strings"),
        ({"y_train": np.array([0.0, 1, 0, 1, 0, 1])}, "y_train"),
        ({"y_train": np.eye(6, 2, dtype=int)}, "y_train"),
        ({"y_train": np.array([0, 1, 0, 1, 0, 2])}, "train label 2; expected 0 to 1"),
        ({"y_train": np.array([0, 1, 0, 1, 0, -1])}, "label -1"),
        ({"y_train": np.array([0, 1, 0, 1, 0, 2**40])}, f"label {2**40}"),
        ({"y_test": np.zeros(4, int)}, "'dog' is in one of them only"),
        ({"y_test": np.array([0, 1, 0, 2]), "classes": None}, "test label 2"),
        ({"y_train": np.zeros(6, int), "y_test": np.zeros(4, int), "classes": None}, "one class"),
        ({"x_test": np.zeros((4, 9, 9, 3), np.uint8)}, "expected one shape"),
        ({"x_train": np.zeros((0, 8, 8, 3)), "y_train": np.zeros(0, int)}, "no train images"),
    ],
)
def test_bad_files_are_one_line(tmp_path: Path, changes: dict, message: str):
    with pytest.raises(InputError, match="^[^\n]*$") as caught:
        load(tmp_path, arrays(**changes))
    assert message in str(caught.value)


@pytest.mark.parametrize("contents", [b"", b"no zip", b"PK\x03\x04 broken"])
def test_files_that_are_no_npz(tmp_path: Path, contents: bytes):
    path = tmp_path / "bad.npz"
    path.write_bytes(contents)
    with pytest.raises(InputError, match="bad.npz"):
        data.load(f"npz:{path}")


def test_members_that_are_no_arrays(tmp_path: Path):
    np.savez(tmp_path / "bad.npz", **arrays(y_test=None))
    with zipfile.ZipFile(tmp_path / "bad.npz", "a") as file:
        file.writestr("y_test.npy", b"0 1 0 1")
    with pytest.raises(InputError, match="y_test in .* is no NumPy array"):
        data.load(f"npz:{tmp_path / 'bad.npz'}")


def test_a_truncated_file(tmp_path: Path):
    np.savez_compressed(tmp_path / "whole.npz", **arrays())
    whole = (tmp_path / "whole.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="cut.npz"):
        data.load(f"npz:{tmp_path / 'cut.npz'}")


def test_a_missing_file_and_a_single_array(tmp_path: Path):
    with pytest.raises(InputError, match="does not exist"):
        data.load(f"npz:{tmp_path / 'none.npz'}")
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(InputError, match="single array"):
        data.load(f"npz:{tmp_path / 'one.npy'}")
