"""A training that is interrupted and goes on is, to the bit, one that never was interrupted."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict
from itertools import count
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_compat import files
from keras_compat.auxiliary import RotationPrediction
from keras_compat.experiments.runner.checkpointing import Resumption, Stage
from keras_compat.experiments.runner.signals import Terminated, ends_on_signals
from keras_compat.experiments.settings import TrainingSettings as Training
from keras_compat.experiments.training import make_optimizer, train
from keras_compat.layers import Augmentation, BatchStatisticsNormalization
from keras_compat.training import AuxiliaryHead, NonFiniteLoss, Task, Trainer
from keras_compat.training.checkpoints import Checkpoint, Checkpoints
from tests.training.small import data, same, weights
from tests.training.test_distribution import LOCAL, several_devices

CLASSES = 3
DIGITS = data(classes=CLASSES)
HOW = Training(rounds=7, batch_size=8, learning_rate=0.05, drops=(4,), weight_decay=1e-3)
STOPS = [2, 5, 7]
SETTINGS = {"rounds": HOW.rounds}
DATA = {"digits": {"sha256": "of the images"}}


class Killed(BaseException):
    """Nothing is written on its way: what is on disk is what a killed process leaves."""


class At(keras.callbacks.Callback):
    """Counts rounds, and does something at the end of one of them."""

    def __init__(self, rounds=None, do=None):
        super().__init__()
        self.rounds, self.do, self.count = rounds, do, 0

    def on_train_batch_end(self, batch, logs=None):
        self.count += 1
        if self.model.rounds == self.rounds:
            self.do()


class Measured:
    """Gathers figures and weights at stops, as jobs do."""

    def __init__(self):
        self.figures, self.kept = [], {}

    def take(self, number, rounds, model):
        weights = model.get_weights()
        self.figures.append([number, rounds, float(np.sum(weights[0]))])
        self.kept = {"best": np.array(weights[0])}

    def state(self):
        return self.figures, self.kept

    def restore(self, state, arrays):
        self.figures, self.kept = list(state), dict(arrays)


def kill():
    raise Killed


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)  # those who do so may do so twice


def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def make_parts():
    keras.utils.set_random_seed(3)
    images, features = keras.Input((8, 8, 1)), keras.Input((None, None, 3))
    x = keras.layers.Conv2D(3, 3, strides=4)(keras.layers.Rescaling(1 / 255)(images))
    made = [keras.Model(images, BatchStatisticsNormalization()(x), name="extractor")]
    for name, outputs in (("head", CLASSES), ("rotation_head", 4)):
        # Its seed is none of ours: Keras draws one.
        x = keras.layers.Dropout(0.3)(keras.layers.GlobalAveragePooling2D()(features))
        made.append(keras.Model(features, keras.layers.Dense(outputs)(x), name=name))
    return made


def make_trainer(parts, number=0):
    extractor, head, rotation_head = parts
    rotation_head.trainable = number == 0
    held = AuxiliaryHead(RotationPrediction("random", seed=number), rotation_head)
    augmentation = Augmentation(flip=True, seed=number)
    return Trainer([Task("a", extractor, head, [held], augmentation=augmentation)], seed=number)


def run(folder, *callbacks, every_s=1e-9, at_stop=lambda rounds: None):
    """Trainings of a step, each on what the one before left; returns what they leave."""
    parts, measured = make_parts(), Measured()
    with Resumption(folder, every_s, SETTINGS, DATA) as step:
        for number, callback in enumerate(callbacks):

            def measure(rounds, number=number):
                at_stop(rounds)
                measured.take(number, rounds, parts[0])

            trainer, last_good = make_trainer(parts, number), folder.with_suffix(".keras")
            data = {"a": DIGITS}
            train(trainer, data, HOW, [callback], last_good, STOPS, measure, measured)
    arrays = [*(w for part in parts for w in weights(part)), *measured.kept.values()]
    return arrays, measured.figures, step.earlier_s


def found_in(folder, settings=SETTINGS, images=DATA):
    """Returns how many rounds of the first training there are for a process that goes on."""
    trainer = make_trainer(make_parts())
    with Resumption(folder, 0, settings, images):
        stage = Stage(trainer, make_optimizer(HOW), asdict(HOW), Measured())
    return trainer.rounds, stage.measured


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return run(tmp_path_factory.mktemp("whole") / "checkpoints", At(), At(), every_s=0)


@pytest.fixture(scope="module")
def left(tmp_path_factory):
    """What a process left that was killed in its sixth round."""
    folder = tmp_path_factory.mktemp("left") / "checkpoints"
    with pytest.raises(Killed):
        run(folder, At(6, kill))
    return folder


@pytest.fixture
def folder(left, tmp_path):
    return shutil.copytree(left, tmp_path / "checkpoints")


def is_as(found, whole):
    return same(found[0], whole[0]) and found[1] == whole[1]


def test_killed_three_times_it_ends_as_one_that_was_not(folder, whole, monkeypatch):
    # Not every chance is taken, so that rounds are done again.
    chances = count()
    due = property(lambda self: next(chances) % 3 == 2)
    monkeypatch.setattr(Resumption, "is_due", due)
    for callbacks in ((At(), At(5, kill)), (At(), At(7, kill))):
        with pytest.raises(Killed):
            run(folder, *callbacks)
    last = At(), At()
    found = run(folder, *last)
    assert is_as(found, whole)
    assert found[2] > 0
    # The first was finished by then, and the second not gone on with from its begin.
    assert last[0].count == 0 and 0 < last[1].count < HOW.rounds


def test_sigterm_writes_a_checkpoint_of_its_round_and_ends(tmp_path):
    folder = tmp_path / "checkpoints"
    with pytest.raises(Terminated, match="a checkpoint is written"), ends_on_signals():
        run(folder, At(3, terminate), every_s=3600)
    assert found_in(folder) == (3, [2])


def test_an_interruption_while_something_is_measured_loses_no_round(tmp_path):
    folder = tmp_path / "checkpoints"

    def interrupt(rounds):
        if rounds == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="a checkpoint is written"):
        run(folder, At(), every_s=3600, at_stop=interrupt)
    assert found_in(folder) == (5, [2])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"settings": {"rounds": 9}}, "settings.rounds is 7 there, 9 here"),
        ({"images": {"digits": {"sha256": "of others"}}}, "data.digits.sha256 is 'of the images'"),
    ],
)
def test_checkpoints_of_other_settings_or_images_are_not_used(folder, changes, told):
    with pytest.warns(UserWarning, match=told):
        assert found_in(folder, **changes) == (0, [])
    assert not (folder / "01").exists()


def test_checkpoints_of_other_networks_are_not_used(folder, monkeypatch):
    monkeypatch.setitem(globals(), "CLASSES", CLASSES + 1)
    with pytest.warns(UserWarning, match="is passed over: .*the state has"):
        assert found_in(folder) == (0, [])


def change_state(**changes):
    return lambda arrays, state: (arrays, {**state, **changes})


def change_arrays(change):
    return lambda arrays, state: ({n: change(n, a) for n, a in arrays.items()}, state)


def without(name):
    def change(arrays, state):
        return {n: a for n, a in arrays.items() if n != name}, state

    return change


OF_ANOTHER_FORM = {
    "no state": lambda arrays, state: (arrays, None),
    "a list for a state": lambda arrays, state: (arrays, [state]),
    "no groups": lambda arrays, state: (arrays, {k: v for k, v in state.items() if k != "groups"}),
    "groups of others": change_state(groups=[["nobody/0"]]),
    "fewer groups": lambda arrays, state: (arrays, {**state, "groups": state["groups"][:-1]}),
    "a word for rounds": change_state(rounds="three"),
    "other rounds": change_state(rounds=1),
    "rounds below 0": change_state(rounds=-1),
    "many rounds": change_state(rounds=10**30),
    "no time": change_state(seconds=float("nan")),
    "a number for stops": change_state(measured=5),
    "a word for finished": change_state(is_finished="no"),
    "finished, which it is not": change_state(is_finished=True),
    "nothing gathered": change_state(gathered=None),
    "other types": change_arrays(lambda n, a: a.astype("int64" if a.dtype.kind == "f" else "f4")),
    "other shapes": change_arrays(lambda n, a: np.stack([a, a])),
    "not finite": change_arrays(lambda n, a: a * np.nan if a.dtype.kind == "f" else a),
    "an array less": without("trainer/0"),
    "no optimizer": without("optimizer/0"),
    "an array more": lambda arrays, state: ({**arrays, "trainer/99": np.ones(2)}, state),
}


def begun(folder):
    """A trainer after it has looked for a checkpoint."""
    trainer = make_trainer(make_parts())
    with Resumption(folder, 0, SETTINGS, DATA):
        Stage(trainer, make_optimizer(HOW), asdict(HOW), Measured())
    return trainer


@pytest.mark.parametrize("what", OF_ANOTHER_FORM)
def test_those_of_another_form_are_passed_over_and_change_nothing(folder, what):
    checkpoints = Checkpoints(folder / "01")
    for _, whole in list(checkpoints.newest_first()):
        checkpoints.save(Checkpoint(*OF_ANOTHER_FORM[what](whole.arrays, whole.state)))
    with pytest.warns(UserWarning, match="is passed over") as told:
        trainer = begun(folder)
    said = [str(w.message) for w in told if w.category is UserWarning]
    assert [line.count("is passed over") for line in said] == [1, 1]
    assert not any("\n" in line for line in said)
    assert trainer.rounds == 0
    extractor, head, _ = make_parts()
    assert same(weights(trainer.tasks["a"].extractor), weights(extractor))
    assert same(weights(trainer.tasks["a"].head), weights(head))


def test_the_one_before_one_of_another_form_is_gone_on_from(folder):
    checkpoints = Checkpoints(folder / "01")
    whole = checkpoints.latest()
    checkpoints.save(Checkpoint(whole.arrays, {**whole.state, "rounds": 1}))
    with pytest.warns(UserWarning, match="had 5 rounds, not 1"):
        assert begun(folder).rounds == whole.state["rounds"] == 5


def test_a_full_disk_does_not_end_training(tmp_path, whole, monkeypatch):
    folder = tmp_path / "checkpoints"
    fill = At(3, lambda: monkeypatch.setattr(files.os, "fsync", full))
    with pytest.warns(UserWarning, match="no checkpoint could be written .*No space left"):
        _, figures, _ = run(folder, fill)
    assert figures == whole[1][: len(STOPS)]
    monkeypatch.undo()
    # Those before are whole.
    assert found_in(folder) == (2, [])


def test_no_checkpoint_holds_what_is_not_finite(tmp_path):
    folder = tmp_path / "checkpoints"
    parts = make_parts()

    def spoil(rounds):
        kernel = parts[0].trainable_variables[0]
        kernel.assign(np.full(kernel.shape, np.nan))

    with pytest.raises(NonFiniteLoss), Resumption(folder, 1e-9, SETTINGS, DATA):
        data, last_good = {"a": DIGITS}, tmp_path / "last.keras"
        train(make_trainer(parts), data, HOW, [], last_good, [3], spoil, Measured())
    assert found_in(folder)[0] == 3
    latest = Checkpoints(folder / "01").latest()
    assert all(np.isfinite(a).all() for a in latest.arrays.values() if a.dtype.kind == "f")


def test_without_checkpoints_nothing_is_written_and_signals_end_at_once(tmp_path):
    folder = tmp_path / "checkpoints"
    with pytest.raises(Terminated) as ended, ends_on_signals():
        run(folder, At(2, terminate), every_s=0)
    assert str(ended.value) == ""
    assert not folder.exists()


@pytest.mark.once
def test_signals_end_at_once_where_nothing_is_trained():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Terminated), ends_on_signals():
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before
    with pytest.raises(KeyboardInterrupt) as ended, ends_on_signals():
        os.kill(os.getpid(), signal.SIGINT)
    assert not isinstance(ended.value, Terminated)


@pytest.mark.slow
def test_spread_over_devices_it_goes_on_to_the_same_weights():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.experiments.spread_resumed", LOCAL],
        env={**os.environ, **several_devices(2)},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    moved, apart, rounds = map(float, done.stdout.split())
    assert moved > 0.01 and apart == 0
    # The third was cut off before its checkpoint was written.
    assert rounds == 3
