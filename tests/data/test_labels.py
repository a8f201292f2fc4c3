"""Labels are checked in one place: the same ones are right in arrays, examples and files."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from keras_compat import data
from keras_compat.data.labels import check_begin_with_0, check_classes_have_images, check_labels
from keras_compat.data.options import LoadOptions
from keras_compat.errors import InputError

pytestmark = pytest.mark.once


@given(st.lists(st.integers(-1, 6), min_size=1, max_size=20), st.booleans())
def test_rows_and_columns_are_the_same_labels(labels, column):
    array = np.array(labels)[:, None] if column else np.array(labels)
    found = check_labels(array, len(labels), "these", classes=7)
    assert found.tolist() == labels and found.dtype == np.int32


@given(st.lists(st.integers(-10, 10), min_size=1), st.integers(2, 8), st.booleans())
def test_what_is_out_of_range_is_named(labels, classes, unknown):
    wrong = [x for x in labels if not (-unknown <= x < classes)]
    if not wrong:
        check_labels(labels, len(labels), "these", classes, unknown)
        return
    with pytest.raises(InputError, match=f"^label {wrong[0]} in these; expected"):
        check_labels(labels, len(labels), "these", classes, unknown)


BAD = {
    "text": (np.array(["cat", "dog"]), "such as 'cat'.*np.unique"),
    "bytes": (np.array([b"cat", b"dog"]), "np.unique"),
    "objects": (np.array([0, None], object), "object"),
    "truth": (np.array([True, False]), "bool .*astype"),
    "complex": (np.array([0j, 1j]), "complex"),
    "dates": (np.array(["2020-01-01"] * 2, "datetime64[D]"), "datetime"),
    "one-hot": (np.eye(2, dtype=int), r"shape \(2, 2\).*argmax"),
    "one row": (np.array([[0, 1]]), r"shape \(1, 2\)"),
    "a number": (np.array(0), r"shape \(\)"),
    "cube": (np.zeros((2, 1, 1), int), r"shape \(2, 1, 1\)"),
    "ragged": ([[0], [1, 2]], "different lengths"),
    "too few": (np.array([0]), "2 images and 1 labels"),
    "too many": (np.array([0, 1, 1]), "2 images and 3 labels"),
    "far too large": (np.array([0, 2**63], np.uint64), f"label {2**63}"),
    "below -1": (np.array([0, -2]), "label -2"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("floats", [False, True])
def test_what_cannot_be_labels_is_refused_in_one_line(name, floats):
    labels, message = BAD[name]
    with pytest.raises(InputError, match=f"^[^\n]*{message}[^\n]*$"):
        check_labels(labels, 2, "these", whole_floats=floats)
    with pytest.raises(InputError, match=message):
        data.Examples(np.zeros((2, 4, 4, 1), "uint8"), labels)


@pytest.mark.parametrize("wrong", [0.5, np.nan, np.inf, -np.inf, 1e300])
def test_floats_are_whole_numbers_where_they_are_taken(wrong):
    assert check_labels(np.array([2.0, -1.0]), 2, "these", 3, whole_floats=True).tolist() == [2, -1]
    with pytest.raises(InputError, match="^labels in these are float64"):
        check_labels(np.array([0.0, 1.0]), 2, "these", 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError, match="^label .* in these; expected"):
            check_labels(np.array([0.0, wrong]), 2, "these", 3, whole_floats=True)


def test_labels_that_begin_with_1_say_so():
    with pytest.raises(InputError, match="the labels begin with 1, subtract 1"):
        check_labels([1, 2, 3], 3, "these", 3)
    with pytest.raises(InputError, match="as there are 3 classes$"):
        check_labels([0, 2, 3], 3, "these", 3)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [([0, 1], 3), ([2, 3], 4), ([1, 2], 5), ([1, 1], 2), ([], 3), ([-1, -1], 3), ([0, 2], 3)],
)
def test_parts_of_the_classes_are_right(labels, classes):
    check_begin_with_0(np.array(labels, int), classes, "these")


@pytest.mark.parametrize("labels", [[1, 2], [2, 1, 1], [-1, 1, 2]])
def test_all_classes_but_0_are_refused(labels):
    with pytest.raises(InputError, match="subtract 1"):
        check_begin_with_0(np.array(labels), 3, "these")


def test_a_named_class_may_be_without_images():
    check_classes_have_images(np.array([0, 2]), ["cat", "dog", "emu"], "pets")
    check_classes_have_images(np.array([2, 3]), ["cat", "dog", "emu", "fox"], "pets")


def write_npz(path, labels, **more):
    images = np.zeros((len(labels), 8, 8), "uint8")
    labels = np.array(labels)
    np.savez(path, x_train=images, y_train=labels, x_test=images, y_test=labels, **more)
    return f"npz:{path}"


def write_folder(path, names):
    for split in ("train", "test"):
        for name in names:
            (path / split / name).mkdir(parents=True)
            Image.new("L", (8, 8)).save(path / split / name / "0.png")
    return f"folder:{path}"


@pytest.mark.parametrize("labels", [[1, 2, 3], [[1], [2], [3]], [1, 2]])
def test_an_npz_that_counts_from_1_is_refused(tmp_path, labels):
    spec = write_npz(tmp_path / "set.npz", labels)
    with pytest.raises(InputError, match="begin with 1.*subtract 1"):
        data.load(spec)
    # Where labels are dropped it does not matter how they count.
    assert len(data.load_images(spec, LoadOptions()).images) == len(labels)


def test_names_do_not_make_labels_begin_with_0(tmp_path):
    spec = write_npz(tmp_path / "set.npz", [1, 2], classes=np.array(["cat", "dog"]))
    with pytest.raises(InputError, match="label 2; .*begin with 1, subtract 1"):
        data.load(spec)
    spec = write_npz(tmp_path / "more.npz", [1, 2], classes=np.array(["none", "cat", "dog"]))
    with pytest.raises(InputError, match="no image of class none"):
        data.load(spec)


def test_an_npz_with_a_gap_needs_names(tmp_path):
    with pytest.raises(InputError, match="no image of class 1; .*without gaps.*`classes`"):
        data.load(write_npz(tmp_path / "set.npz", [0, 2]))
    names = np.array(["cat", "dog", "emu"])
    assert (
        data.load(write_npz(tmp_path / "named.npz", [0, 2], classes=names)).class_names[1] == "dog"
    )


@pytest.mark.parametrize("names", [["1", "2"], ["01", "02", "03"], [str(i) for i in range(1, 12)]])
def test_folders_that_count_from_1_are_refused(tmp_path, names):
    with pytest.raises(InputError, match="class folders of .*subtract 1"):
        data.load(write_folder(tmp_path / "set", names))


@pytest.mark.parametrize("names", [["0", "1"], ["3", "7"], ["1", "2", "many"], ["cat", "dog"]])
def test_other_folders_are_right(tmp_path, names):
    assert data.load(write_folder(tmp_path / "set", names)).class_names == tuple(names)
