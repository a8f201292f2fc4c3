"""Every auxiliary task of the registry, with its options, does what all of them promise."""

import keras
import numpy as np
import pytest

from keras_compat.auxiliary import (
    AUXILIARIES,
    CommonClasses,
    Contrastive,
    Exemplar,
    JigsawPuzzle,
    RotationPrediction,
)
from keras_compat.data import Examples, ImageDataset
from keras_compat.errors import InputError

VIEWS = {"outputs": 7, "every_image": True, "smallest_area": 0.5, "flip": False, "seed": 2}
LABELS = np.array([0, 1, 2, -1, 0, 1], "int32")


def dataset(channels):
    examples = Examples(np.zeros((4, 8, 8, channels), "uint8"), np.zeros(4, "int32"))
    return ImageDataset("some", examples, examples, ("a", "b", "c"), flippable=False)


def from_registry(name):
    entry = AUXILIARIES[name]
    return entry([0, 1], 3) if entry.needs_labels else entry.for_dataset(dataset(3), seed=3)


CASES = {
    **{name: lambda name=name: from_registry(name) for name in AUXILIARIES},
    "rotation, cyclic": lambda: RotationPrediction("cyclic", seed=4),
    "rotation, all": lambda: RotationPrediction("all", seed=4),
    "common_classes, turned": lambda: CommonClasses([2, 0], classes=3),
    "jigsaw, 6": lambda: JigsawPuzzle(outputs=6, seed=3),
    "contrastive, others": lambda: Contrastive(0.1, **VIEWS),
    "exemplar, others": lambda: Exemplar(0.3, **VIEWS),
}
every_task = pytest.mark.parametrize("make", CASES.values(), ids=CASES)


def images(dtype="float32"):
    values = np.random.default_rng(0).uniform(0, 255, (6, 8, 8, 3))
    return keras.ops.cast(keras.ops.convert_to_tensor(values.astype("float32")), dtype)


def outputs(task, count):
    """What a head emits for so many images; or features, for a task without a head."""
    positions = (2, 2) if task.dense or not task.uses_head else ()
    values = np.random.default_rng(1).normal(size=(count, *positions, task.outputs or 6))
    return keras.ops.convert_to_tensor(values.astype("float32"))


def judged(task, shown, targets):
    emitted = outputs(task, shown.shape[0])
    return task.loss(targets, emitted), *task.score(targets, emitted)


def equal(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(np.array(a), np.array(b))


def differ(one, other):
    pairs = zip(one, other, strict=True)
    return not all(np.array_equal(np.array(a), np.array(b)) for a, b in pairs)


@pytest.mark.once
@pytest.mark.parametrize("name", AUXILIARIES)
def test_the_registry_says_what_the_class_does(name):
    entry, task = AUXILIARIES[name], from_registry(name)
    assert (entry.has_head, entry.needs_labels) == (task.uses_head, task.uses_labels)
    assert entry.meaning
    if entry.needs_colour:
        with pytest.raises(InputError, match="1 channel"):
            entry.for_dataset(dataset(1))
    elif not entry.needs_labels:
        entry.for_dataset(dataset(1))


@every_task
def test_a_configuration_survives(make):
    task = make()
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(task))
    assert type(again) is type(task)
    assert again.get_config() == task.get_config()
    assert again.outputs == task.outputs


@every_task
def test_the_same_seed_draws_the_same_and_each_step_anew(make):
    one, other = make(), make()
    x = keras.ops.repeat(images(), 5, axis=0)
    labels = np.repeat(LABELS, 5)
    first = one.transform(x, labels)
    equal(first, other.transform(x, labels))
    draws = differ(one.variables, make().variables)
    assert differ(first, one.transform(x, labels)) == draws
    config = other.get_config()
    if config.get("seed") is not None:
        another = type(one).from_config({**config, "seed": config["seed"] + 1})
        assert differ(first, another.transform(x, labels)) == draws


@every_task
def test_evaluation_draws_nothing(make):
    task = make()
    first = task.transform(images(), LABELS, training=False)
    equal(first, task.transform(images(), LABELS, training=False))
    equal(task.variables, make().variables)


@every_task
def test_images_without_a_label_take_no_part_where_labels_count(make):
    task = make()
    shown, targets = task.transform(images(), LABELS, training=False)
    unknown = np.full_like(LABELS, -1)
    without = task.transform(images(), unknown, training=False)
    if not task.transforms_images:
        np.testing.assert_array_equal(np.array(shown), np.array(images()))
    np.testing.assert_array_equal(np.array(without[0]), np.array(shown))
    if task.uses_labels:
        loss, _, counts = judged(task, *without)
        assert not np.array(loss).any() and not np.array(counts).any()
        assert np.array(judged(task, shown, targets)[2]).any()
    else:
        equal(judged(task, *without), judged(task, shown, targets))


@every_task
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_stays_what_it_is_and_is_judged_alike(make, dtype):
    task = make()
    shown, targets = task.transform(images(dtype), LABELS, training=False)
    assert keras.backend.standardize_dtype(shown.dtype) == dtype
    found = judged(task, shown, targets)
    for value in found:
        assert np.isfinite(np.array(value)).all() and value.shape == (shown.shape[0],)
        assert keras.backend.standardize_dtype(value.dtype) == "float32"


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="on JAX all that is trained is compiled with XLA",
)
@every_task
def test_compiled_evaluation_is_the_same(make):
    import tensorflow as tf

    task = make()

    def evaluate(images, labels):
        shown, targets = task.transform(images, labels, training=False)
        return shown, *judged(task, shown, targets)

    plain = evaluate(images(), LABELS)
    compiled = tf.function(evaluate, jit_compile=True)(
        images(), keras.ops.convert_to_tensor(LABELS)
    )
    for value, expected in zip(compiled, plain, strict=True):
        np.testing.assert_allclose(np.array(value), np.array(expected), rtol=1e-4, atol=1e-4)
