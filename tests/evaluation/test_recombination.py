"""Recombination accuracy of networks that are right or wrong by construction."""

import keras
import numpy as np
import pytest

from keras_compat.data import Examples
from keras_compat.errors import InputError
from keras_compat.evaluation import (
    common_examples,
    own_accuracies,
    recombination_accuracy,
    recombination_matrix,
)
from keras_compat.layers import BatchStatisticsNormalization

# What is in an image is its grey value, and an extractor hands it on.
GREY = {"cat": 0, "dog": 40, "car": 80, "automobile": 80, "ship": 120, "frog": 160}
NAMES = {
    "a": ("cat", "dog", "car", "ship"),
    "b": ("frog", "automobile", "cat"),
    "c": ("ship", "car", "cat"),
}


def extractor(name):
    images = keras.Input((4, 4, 1))
    return keras.Model(images, keras.layers.Rescaling(1 / 40)(images), name=name)


def head(names, claims=()):
    """Chooses the class of the nearest grey value; `claims` gives one class another's value."""
    features = keras.Input((None, None, 1))
    logits = keras.layers.Dense(len(names), name="logits")
    pooled = keras.layers.GlobalAveragePooling2D()(features)
    model = keras.Model(features, logits(pooled), name="head")
    values = np.array([GREY[dict(claims).get(name, name)] / 40 for name in names])
    favoured = np.isin(names, list(dict(claims)))
    logits.set_weights([2 * values[None], 0.01 * favoured - values**2])
    return model


def examples(names, counts):
    labels = np.repeat(np.arange(len(names)), counts)
    grey = np.array([GREY[name] for name in names], "uint8")[labels]
    return Examples(np.broadcast_to(grey[:, None, None, None], (len(grey), 4, 4, 1)), labels)


EXTRACTORS = {name: extractor(name) for name in NAMES}
TESTS = {name: examples(names, 3) for name, names in NAMES.items()}


def test_heads_of_other_data_are_right_on_the_common_classes_whatever_their_order():
    heads = {name: head(names) for name, names in NAMES.items()}
    matrix = recombination_matrix(EXTRACTORS, heads, TESTS, NAMES)
    assert matrix == pytest.approx({(e, h): 1.0 for e in "abc" for h in "abc"})


def test_an_extractor_is_evaluated_on_its_own_images_of_the_common_classes():
    tests = {"a": examples(NAMES["a"], [1, 50, 3, 50]), "b": TESTS["b"]}
    heads = {"b": head(NAMES["b"], {"cat": "frog"})}  # takes cats for cars
    extractors = {"a": EXTRACTORS["a"]}
    matrix = recombination_matrix(extractors, heads, tests, NAMES)
    assert matrix == {("a", "b"): 0.75}  # three cars and one cat


def test_restriction_can_be_lifted():
    heads = {"b": head(NAMES["b"], {"frog": "automobile"})}  # takes every car for a frog
    arguments = ({"a": EXTRACTORS["a"]}, heads, TESTS, NAMES)
    assert recombination_matrix(*arguments) == {("a", "b"): 1.0}
    assert recombination_matrix(*arguments, restrict=False) == {("a", "b"): 0.5}


def test_own_accuracies_are_on_the_images_of_the_comparison():
    heads = {"a": head(NAMES["a"], {"ship": "dog"}), "b": head(NAMES["b"]), "c": head(NAMES["c"])}
    assert recombination_matrix(EXTRACTORS, heads, TESTS, NAMES)["a", "a"] == 0.5
    names = {**NAMES, "c": ("ship", "cat", "dog")}
    own = own_accuracies({"a": EXTRACTORS["a"]}, heads, TESTS, names)
    # Beside b no dog and no ship is seen; beside c no ship can be taken for a car any more.
    assert own == pytest.approx({("a", "b"): 1.0, ("a", "c"): 2 / 3})
    own = own_accuracies({"a": EXTRACTORS["a"]}, heads, TESTS, names, restrict=False)
    assert own == pytest.approx({("a", "b"): 1.0, ("a", "c"): 1 / 3})


def test_statistics_are_estimated_again_on_all_of_the_extractors_test_images():
    images = keras.Input((4, 4, 1))
    scaled = keras.layers.Rescaling(1 / 40)(images)
    normalized = keras.Model(images, BatchStatisticsNormalization(epsilon=1e-6)(scaled))
    tests = {"a": examples(NAMES["a"], [2, 60, 2, 40])}
    # Only cats and cars are common. Among all images, of which most are dogs and ships, a cat is
    # far below the mean; among cats and cars it is not that far.
    grey = tests["a"].images[:, 0, 0, 0] / 40
    threshold = (0.3 - grey.mean()) / grey.std()
    features = keras.Input((None, None, 1))
    pooled = keras.layers.GlobalAveragePooling2D()(features)
    logits = keras.layers.Dense(2)
    head = keras.Model(features, logits(pooled))
    logits.set_weights([np.array([[-1.0, 1.0]]), np.array([threshold, -threshold])])
    names = {"a": NAMES["a"], "b": ("cat", "car")}
    arguments = ({"a": normalized}, {"b": head}, tests, names)
    of_all = recombination_matrix(*arguments, statistics="recalibrated")
    assert of_all == {("a", "b"): 1.0}
    common, classes = common_examples(tests["a"], names["a"], names["b"])
    of_common = recombination_accuracy(
        normalized, head, common, classes=classes, statistics="recalibrated"
    )
    assert of_common == 0.5


def test_common_examples_leave_out_what_has_no_label():
    all_of_a = TESTS["a"].relabelled(np.where(TESTS["a"].labels == 0, -1, TESTS["a"].labels))
    found, classes = common_examples(all_of_a, NAMES["a"], NAMES["b"])
    assert found.labels.tolist() == [1, 1, 1]
    assert (found.images == GREY["car"]).all()
    assert classes == [2, 1]


def test_aliases_make_classes_common():
    names = ("cat", "vessel")
    found, _ = common_examples(TESTS["a"], NAMES["a"], names, aliases={"vessel": "ship"})
    assert found.labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_fewer_than_two_common_classes_are_refused_with_both_lists():
    heads = {"b": head(("frog", "cat"))}
    names = {"a": NAMES["a"], "b": ("frog", "cat")}
    message = "cat, dog, car, ship and classes frog, cat have 1 in common"
    with pytest.raises(InputError, match=message):
        recombination_matrix({"a": EXTRACTORS["a"]}, heads, TESTS, names)


def test_equal_classes_need_no_names():
    names = NAMES["a"]
    assert recombination_accuracy(EXTRACTORS["a"], head(names), TESTS["a"], batch_size=5) == 1.0
    assert recombination_accuracy(EXTRACTORS["a"], head(names, {"cat": "frog"}), TESTS["a"]) == 0.75
