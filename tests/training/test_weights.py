"""Labels and weights of the trainer are those of Keras' `fit`, whatever brings them."""

from functools import cache

import keras
import numpy as np
import pytest

from keras_compat.auxiliary import CommonClasses, RotationPrediction
from keras_compat.data import Examples
from keras_compat.errors import InputError
from keras_compat.training import AuxiliaryHead, Task, Trainer
from keras_compat.training.state import read_state, write_state
from tests.training.plain import CLASSES, Batches, arrays, assert_same, by_keras, by_trainer, parts
from tests.training.small import data, eager, extractor, head, joint_trainer, same, weights

IMAGES, LABELS = arrays()
WEIGHTS = np.random.default_rng(1).uniform(0, 3, len(LABELS)).astype("float32") * (LABELS > 0)
SGD = 0.5


def sgd():
    return keras.optimizers.SGD(SGD)


def stream(*data):
    batches = Batches(*data)
    return [batches[i] for i in range(batches.num_batches)]


def tf_data(*data):
    tf = pytest.importorskip("tensorflow")
    return tf.data.Dataset.from_tensor_slices(data).batch(7)


CARRIERS = {"PyDataset": Batches, "list": stream, "tf.data": tf_data}


@cache
def keras_on(weighted):
    return by_keras(Batches(IMAGES, LABELS, *([WEIGHTS] if weighted else [])), sgd(), eager=True)


@pytest.mark.parametrize(
    ("carrier", "column"),
    [("PyDataset", False), ("PyDataset", True), ("list", True), ("tf.data", True)],
)
def test_weights_count_as_in_fit(carrier, column):
    labels, given = (x[:, None] if column else x for x in (LABELS, WEIGHTS))
    ours = by_trainer(CARRIERS[carrier](IMAGES, labels, given), sgd(), eager=column)
    assert_same(ours, keras_on(True))
    without = by_trainer(CARRIERS[carrier](IMAGES, labels), sgd(), eager=True)
    assert_same(without, keras_on(False))
    assert not np.allclose(ours[1], without[1], atol=1e-3)


def test_an_unknown_label_weighs_nothing():
    unknown = np.where(np.arange(len(LABELS)) % 5 == 0, -1, LABELS)
    ours = by_trainer(Batches(IMAGES, unknown, WEIGHTS), sgd(), eager=True)
    theirs = Batches(IMAGES, LABELS, WEIGHTS * (unknown >= 0))
    assert_same(ours, by_keras(theirs, sgd(), eager=True))


@pytest.mark.parametrize("named", [False, True])
def test_class_weights_count_as_in_fit(named):
    given = {0: 5.0, 2: 0.0}
    ours, theirs = (
        train(Batches(IMAGES, LABELS), sgd(), class_weight=weights_of, eager=True)
        for train, weights_of in ((by_trainer, {"a": given} if named else given), (by_keras, given))
    )
    assert_same(ours, theirs)


def test_validation_is_weighted_as_in_fit_and_knows_no_class_weights():
    validation = (IMAGES[:20], LABELS[:20], WEIGHTS[20:])
    how = {"validation": validation, "batch_size": 20, "class_weight": {1: 3.0}, "eager": True}
    ours, theirs = (
        train(Batches(IMAGES, LABELS), sgd(), **how) for train in (by_trainer, by_keras)
    )
    assert_same(ours, theirs)


@pytest.mark.parametrize("as_examples", [False, True])
def test_evaluate_takes_weights(as_examples):
    images = (IMAGES * 255).astype("uint8")
    extractor_part, head_part = parts()
    model = keras.Sequential([extractor_part, head_part])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(loss=loss, weighted_metrics=["accuracy"])
    expected = model.evaluate(images, LABELS, sample_weight=WEIGHTS, batch_size=8, verbose=0)
    trainer = Trainer([Task("a", extractor_part, head_part)])
    trainer.compile("sgd")
    given = {"a": Examples(images, LABELS) if as_examples else (images, LABELS)}
    how = {"batch_size": 8, "verbose": 0, "return_dict": True}
    for weights_of in ({"a": WEIGHTS}, WEIGHTS, WEIGHTS[:, None]):
        found = trainer.evaluate(given, sample_weight=weights_of, **how)
        np.testing.assert_allclose([found["loss"], found["a_accuracy"]], expected, rtol=1e-4)
    with pytest.raises(InputError, match="sample_weight for task 'a', whose data is Batches"):
        trainer.evaluate({"a": Batches(images, LABELS)}, sample_weight=WEIGHTS, verbose=0)


def test_arrays_are_shuffled_with_their_weights():
    """Examples without weight leave no trace: their labels may be any."""
    other = np.where(WEIGHTS > 0, LABELS, np.arange(len(LABELS)) % CLASSES)
    one, two = (
        by_trainer((IMAGES, labels, WEIGHTS), sgd(), batch_size=8, eager=True)
        for labels in (LABELS, other)
    )
    np.testing.assert_array_equal(one[1], two[1])
    how = {"batch_size": 8, "eager": True}
    by_argument = by_trainer((IMAGES, LABELS), sgd(), sample_weight=WEIGHTS, **how)
    np.testing.assert_array_equal(one[1], by_argument[1])


def test_only_what_is_learnt_from_labels_is_weighted():
    held = [
        AuxiliaryHead(RotationPrediction(seed=0), head("rotation_head", 4, seed=5)),
        AuxiliaryHead(CommonClasses([0, 1], 3), head("common_head", 2, seed=7), fraction=0.5),
    ]
    trainer = eager(Trainer([Task("a", extractor("e"), head("h"), held)]), "sgd")
    trainer.track_learnt()
    state = read_state(trainer)
    images, labels = data()
    found = {}
    for name, given in (("all", np.ones(24)), ("double", np.full(24, 2.0)), ("none", np.zeros(24))):
        write_state(trainer, state)
        how = {"batch_size": 24, "verbose": 0}
        found[name] = trainer.fit({"a": (images, labels, given)}, **how).history
    for name in ("a_loss", "a_common_classes_loss"):
        one = found["all"][name][0]
        np.testing.assert_allclose(found["double"][name], [2 * one], rtol=1e-5)
        assert found["none"][name] == [0.0] and one > 0
    for name in ("a_rotation_loss", "a_rotation_accuracy"):
        assert found["all"][name] == found["none"][name]
    for name in ("a_accuracy", "a_common_classes_accuracy"):
        assert found["all"][name] == found["double"][name]


def test_weights_below_one_in_all_give_the_same_accuracy():
    trainer = eager(joint_trainer(("a",), common=False), "sgd")
    images, labels = data()
    how = {"batch_size": 24, "verbose": 0, "return_dict": True}
    small = trainer.evaluate({"a": (images, labels, np.full(24, 1e-3))}, **how)
    whole = trainer.evaluate({"a": (images, labels)}, **how)
    assert whole["a_accuracy"] > 0
    assert small["a_accuracy"] == pytest.approx(whole["a_accuracy"], rel=1e-5)


BAD = {
    "column of names": ((LABELS.astype(str)[:, None],), "np.unique"),
    "beyond the classes": ((LABELS + 4,), "label 7|label [4-7] in the data of task 'a'"),
    "from 1": ((LABELS + 1,), "begin with 1, subtract 1|label 4"),
    "one-hot": ((np.eye(4)[LABELS],), "argmax"),
    "fraction": ((LABELS + 0.5,), "label .*5 in"),
    "below -1": ((LABELS - 2,), "label -2"),
    "too few": ((LABELS[:-1],), "labels in the data of task 'a'; expected one label an image"),
    "negative weights": ((LABELS, -WEIGHTS), "sample weight -"),
    "no numbers": ((LABELS, np.full(40, np.nan)), "sample weight nan"),
    "infinite": ((LABELS, np.full(40, 1e300)), r"sample weight 1e\+300"),
    "weights of text": ((LABELS, LABELS.astype(str)), "sample weights in"),
    "too few weights": ((LABELS, WEIGHTS[:-1]), r"expected one number an image"),
    "weights a class": ((LABELS, np.ones((40, 4))), r"shape \(\d+, 4\)"),
    "a fourth": ((LABELS, WEIGHTS, WEIGHTS), "tuple of 4"),
}


@pytest.fixture(scope="module")
def trainer():
    return eager(Trainer([Task("a", *parts())]), "adam")


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("how", ["arrays", "PyDataset", "tf.data"])
def test_what_is_wrong_is_one_line_and_costs_nothing(trainer, name, how):
    given, message = BAD[name]
    if how == "tf.data" and "too few" in name:
        pytest.importorskip("tensorflow")
        given = [x.repeat(2)[: len(x)] for x in given]
        source = [(IMAGES[:7], *(x[:6] if len(x) < 40 else x[:7] for x in given))]
    else:
        make = {"arrays": lambda *x: x, "PyDataset": Batches, "tf.data": tf_data}[how]
        source = make(IMAGES, *given)
    if how == "PyDataset":
        # What is wrong comes last.
        source = stream(IMAGES, LABELS, *([WEIGHTS] * (len(given) > 1))) + stream(IMAGES, *given)
    before = weights(trainer)
    for action in (trainer.fit, trainer.evaluate):
        with pytest.raises(InputError, match=f"^[^\n]*({message})[^\n]*$"):
            action({"a": source}, verbose=0)
        now = weights(trainer)
        assert all(np.isfinite(w).all() for w in now)
        if how == "arrays" or action == trainer.evaluate:
            assert same(before, now)
        before = now


def test_weights_in_some_minibatches_alone_are_refused(trainer):
    source = stream(IMAGES, LABELS) + stream(IMAGES, LABELS, WEIGHTS)
    with pytest.raises(InputError, match="expected them in all or in none"):
        trainer.fit({"a": source}, verbose=0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({4: 1.0}, "for class 4; expected 0 to 3"),
        ({0: -1.0}, "sample weight -1.0 in class_weight"),
        ({0: "much"}, "class_weight of task 'a'"),
        ({"b": {0: 1.0}}, r"class_weight is for 'b'; expected tasks among \['a'\]"),
        ({"a": [1.0]}, "of type list; expected a mapping"),
        ([1.0, 2.0], "of type list; expected a mapping"),
        ({True: 1.0}, "for class True"),
        ({0.5: 1.0}, "for class 0.5"),
    ],
)
def test_class_weights_that_cannot_be_right_are_refused(trainer, given, message):
    with pytest.raises(InputError, match=message):
        trainer.fit({"a": (IMAGES, LABELS)}, class_weight=given, verbose=0)


def test_weights_of_two_kinds_are_refused(trainer):
    for source in ((IMAGES, LABELS, WEIGHTS), Batches(IMAGES, LABELS, WEIGHTS)):
        with pytest.raises(InputError, match="class_weight and sample weights for task 'a'"):
            trainer.fit({"a": source}, class_weight={0: 2.0}, verbose=0)


def test_labels_that_lack_class_0_alone_are_refused(trainer):
    from_1 = np.where(LABELS == 0, 1, LABELS)
    images = (IMAGES * 255).astype("uint8")
    for source in ((IMAGES, from_1), Examples(images, from_1)):
        with pytest.raises(InputError, match="are 1 to 3, and none is 0; .*subtract 1"):
            trainer.fit({"a": source}, verbose=0)
        trainer.evaluate({"a": source}, verbose=0)
    trainer.fit({"a": (IMAGES, np.where(LABELS < 2, 2, LABELS))}, verbose=0)
    trainer.fit({"a": (IMAGES, np.full(40, -1))}, verbose=0)


@pytest.mark.parametrize("where", ["target", "auxiliary"])
def test_a_head_of_probabilities_is_refused(where):
    features = keras.Input((None, None, 4))
    x = keras.layers.GlobalAveragePooling2D()(features)
    wrong = keras.Model(features, keras.layers.Dense(4, activation="softmax")(x), name="wrong")
    with pytest.raises(InputError, match=r"'wrong' emits probabilities.*logits_of"):
        if where == "target":
            Task("a", extractor("e"), wrong)
        else:
            AuxiliaryHead(RotationPrediction(), wrong)


@pytest.mark.parametrize("batch", [{"images": IMAGES, "labels": LABELS}, IMAGES.astype(str)])
def test_what_is_no_array_of_images_is_one_line(trainer, batch):
    with pytest.raises(InputError, match="images in the data of task 'a' are of type"):
        trainer.fit({"a": [batch]}, verbose=0)
