import numpy as np
import pytest

from keras_compat.data import Examples, ImageDataset
from keras_compat.errors import InputError


def examples(labels: list[int], size: int = 2) -> Examples:
    shades = np.array(labels, int).astype(np.uint8).reshape(-1, 1, 1, 1)
    images = np.broadcast_to(shades, (len(labels), size, size, 1))
    return Examples(images, np.array(labels, int))


def dataset(train: list[int], test: list[int], names: str = "abc") -> ImageDataset:
    return ImageDataset("set", examples(train), examples(test), tuple(names), flippable=False)


def test_select_classes_relabels_in_the_order_given():
    selected = dataset([0, 1, 2, 1], [2, 1, 0]).select_classes([2, 1])
    assert selected.class_names == ("c", "b")
    assert selected.train.labels.tolist() == [1, 0, 1]
    assert selected.train.images[:, 0, 0, 0].tolist() == [1, 2, 1]
    assert selected.test.labels.tolist() == [0, 1]


def test_select_classes_can_keep_labels():
    selected = dataset([0, 1, 2, 1], [2, 1, 0]).select_classes([2, 1], relabel=False)
    assert selected.class_names == ("a", "b", "c")
    assert selected.train.labels.tolist() == [1, 2, 1]


@pytest.mark.parametrize("classes", [[0], [0, 3], [0, -1], [1, 1]])
def test_select_classes_refuses(classes: list[int]):
    with pytest.raises(InputError, match="at least two different numbers from 0 to 2"):
        dataset([0, 1, 2], [0, 1, 2]).select_classes(classes)


def test_fingerprint_names_what_was_used():
    fingerprint = dataset([0, 1, 2], [0, 1, 2]).fingerprint()
    assert fingerprint["name"] == "set"
    assert fingerprint["class_names"] == ["a", "b", "c"]
    assert fingerprint["train"]["count"] == 3
    assert fingerprint["train"]["sha256"] == fingerprint["test"]["sha256"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: dataset([0], [0], "a"), "one class"),
        (lambda: dataset([0, 1], [0, 1], "aa"), "occur twice"),
        (lambda: dataset([0, 1, 3], [0, 1]), "train label 3; expected 0 to 2"),
        (lambda: dataset([0, 1], [0, -1]), "test label -1"),
        (lambda: dataset([0, 1, 2], [0, 1]), "different classes: 'c' is in one of them only"),
        (lambda: dataset([], [0, 1]), "no train images"),
        (
            lambda: ImageDataset("set", examples([0, 1]), examples([0, 1], 3), ("a", "b"), False),
            "expected one shape",
        ),
    ],
)
def test_what_cannot_be_classified_is_refused(make, message: str):
    with pytest.raises(InputError, match="^[^\n]*$") as caught:
        make()
    assert message in str(caught.value)
