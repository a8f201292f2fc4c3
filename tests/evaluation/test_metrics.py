"""Accuracy against hand-made cases and scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from keras_compat.errors import InputError
from keras_compat.evaluation import accuracy

# Predictions: 2, 1, 0, 3 over four classes; without class 3 the last would be 1.
LOGITS = np.array([[0, 1, 5, 2], [0, 4, 1, 3], [9, 1, 1, 1], [0, 6, 1, 7]], "float32")
LABELS = np.array([2, 1, 1, 1], "int32")


def test_matches_scikit_learn():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(200, 5)), rng.integers(0, 5, 200)
    predicted = logits.argmax(axis=1)
    assert accuracy(logits, labels) == pytest.approx(accuracy_score(labels, predicted))
    assert accuracy(logits, labels, class_average=True) == pytest.approx(
        balanced_accuracy_score(labels, predicted)
    )


def test_counts_only_the_classes_asked_for():
    assert accuracy(LOGITS, LABELS) == 0.5
    assert accuracy(LOGITS, LABELS, classes=[2]) == 1.0
    assert accuracy(LOGITS, LABELS, classes=[1]) == pytest.approx(1 / 3)


def test_restrict_chooses_among_the_classes_only():
    assert accuracy(LOGITS, LABELS, classes=[1, 2]) == 0.5
    assert accuracy(LOGITS, LABELS, classes=[1, 2], restrict=True) == 1.0
    assert accuracy(LOGITS, LABELS, [0, 1], class_average=True) == pytest.approx(1 / 3)
    assert accuracy(LOGITS, LABELS, [0, 1], True, class_average=True) == pytest.approx(2 / 3)


def test_class_average_weighs_classes_equally():
    assert accuracy(LOGITS, LABELS, class_average=True) == pytest.approx((1 + 1 / 3) / 2)


def test_examples_without_a_label_are_left_out():
    labels = np.array([2, -1, -1, 1])
    assert accuracy(LOGITS, labels) == 0.5
    assert accuracy(LOGITS, labels, class_average=True) == 0.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((LOGITS, LABELS[:2]), r"\(4, 4\) and labels \(2,\)"),
        ((LOGITS, LABELS, [4]), "below 4"),
        ((LOGITS, LABELS, [-1]), "below 4"),
        ((LOGITS, LABELS, [3]), "no example"),
        ((LOGITS, LABELS, []), "no example"),
        ((LOGITS, np.full(4, -1)), "no example"),
    ],
)
def test_refuses_what_it_cannot_count(arguments, message):
    with pytest.raises(InputError, match=message):
        accuracy(*arguments)
