"""A trace of a few rounds, read again."""

import jax.profiler
import keras
import pytest

from keras_compat.experiments.settings import TrainingSettings as Training
from keras_compat.experiments.training import ask_for_profiles, train
from keras_compat.training import ProfileRounds
from tests.training.small import data, joint_trainer

pytest.importorskip("jax")


def names_in(trace):
    planes = jax.profiler.ProfileData.from_file(str(trace)).planes
    return {event.name for plane in planes for line in plane.lines for event in line.events}


@pytest.fixture(scope="module")
def trainer():
    made = joint_trainer(("a",), common=False)
    made.compile("sgd")
    return made


def test_the_rounds_that_are_asked_for_are_traced_once(trainer, tmp_path):
    callback = ProfileRounds(tmp_path / "profile", first=2, count=2)
    for _ in range(2):
        trainer.fit({"a": data()}, batch_size=8, steps_per_epoch=6, verbose=0, callbacks=[callback])
    (trace,) = (tmp_path / "profile").glob("plugins/profile/*/*.xplane.pb")
    names = names_in(trace)
    step = "train_round" if keras.backend.backend() == "jax" else "Conv2D"
    assert any(step in name or "conv" in name.lower() for name in names), sorted(names)[:50]


def test_rounds_are_counted_over_pauses_of_a_training(trainer, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_COMPAT_PROFILE", "1")
    how, last_good = Training(rounds=12, batch_size=8), tmp_path / "last_good.keras"
    trainer.optimizer.iterations.assign(0)
    train(trainer, {"a": data()}, how, [], last_good, stops=[4, 8, 12])
    assert len(list(tmp_path.glob("profile/plugins/profile/*/*.xplane.pb"))) == 1


def test_a_run_is_traced_where_it_is_asked_for_and_ends_its_trace(trainer, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_COMPAT_PROFILE", "0")
    how = Training(rounds=12, batch_size=8)
    train(trainer, {"a": data()}, how, [], tmp_path / "without" / "last_good.keras")
    assert not (tmp_path / "without").exists()
    ask_for_profiles()
    trainer.optimizer.iterations.assign(0)
    train(trainer, {"a": data()}, how, [], tmp_path / "with" / "last_good.keras")
    assert len(list((tmp_path / "with").glob("profile/plugins/profile/*/*.xplane.pb"))) == 1
