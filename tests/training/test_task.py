"""Tasks and auxiliary heads are described and made again as Keras' own objects are."""

import json

import keras

from keras_compat.auxiliary import JigsawPuzzle, UnitLengthLoss
from keras_compat.layers import Augmentation
from keras_compat.training import AuxiliaryHead, Task, Trainer
from tests.training.small import extractor, head

HELD = [
    AuxiliaryHead(JigsawPuzzle(outputs=4, seed=3), head("jigsaw_head", 4), 0.5, 0.25, 2),
    AuxiliaryHead(UnitLengthLoss()),
]


def task(name="a"):
    augmentation = Augmentation.for_photographs(seed=1, image_size=8)
    parts = extractor("extractor"), head("head")
    return Task(name, *parts, HELD, 2.0, augmentation, passes="joint")


def described(task):
    """Returns what Keras writes of a task, and what it makes of that."""
    written = json.loads(json.dumps(keras.saving.serialize_keras_object(task)))
    return written, keras.saving.deserialize_keras_object(written)


def test_a_task_is_made_again_by_keras():
    config, again = described(task())
    assert described(again)[0] == config
    assert (again.loss_weight, again.passes) == (2.0, "joint")
    held, loss = again.auxiliaries
    assert (held.loss_weight, held.fraction, held.every) == (0.5, 0.25, 2)
    assert held.auxiliary.get_config() == HELD[0].auxiliary.get_config() and loss.head is None


def test_a_task_made_of_its_own_config_shares_its_parts():
    one = task()
    other = Task.from_config({**one.get_config(), "name": "b"})
    assert other.name == "b" and all(a is b for a, b in zip(one.parts, other.parts, strict=True))
    trainer = Trainer.from_config(Trainer([one, other]).get_config())
    assert list(trainer.parts) == ["extractor", "head", "jigsaw_head"]
    assert trainer.tasks["a"].extractor is trainer.tasks["b"].extractor


def test_a_trainer_saved_before_tasks_had_these_settings_is_read():
    config = Trainer([task()]).get_config()
    (described,) = config["tasks"]
    del described["passes"]
    for held in described["auxiliaries"]:
        del held["fraction"], held["every"]
    read = Trainer.from_config(config).tasks["a"]
    assert read.passes == "separate" and read.auxiliaries[0].every == 1
