"""The step is traced once, whatever a run asks of it later."""

from collections import Counter

import keras
import numpy as np
import pytest

from keras_compat.auxiliary import RotationPrediction
from keras_compat.data import Examples
from keras_compat.experiments.settings import TrainingSettings as Training
from keras_compat.experiments.training import train
from keras_compat.training import AuxiliaryHead, Task, Trainer
from tests.training.small import data, extractor, head

JAX = keras.backend.backend() == "jax"
# 37 of at most 10: batches of 10 and 9.
EXAMPLES = {"a": Examples(*data(37, seed=1)), "b": Examples(*data(23, seed=2))}


@pytest.fixture
def traces(monkeypatch):
    """Counts how often each round is traced: Python runs it then, and not afterwards."""
    counts = Counter()

    def count(name):
        kept = getattr(Trainer, name)

        def noted(self, *arguments):
            counts[name] += 1
            return kept(self, *arguments)

        monkeypatch.setattr(Trainer, name, noted)

    count("train_round")
    count("test_round")
    return counts


def make_trainer(every=1, names="ab"):
    rotation_head = head("rotation_head", 4)
    return Trainer(
        [
            Task(
                name,
                extractor(f"{name}_extractor"),
                head(f"{name}_head"),
                [AuxiliaryHead(RotationPrediction(seed=0), rotation_head, every=every)],
            )
            for name in names
        ]
    )


@pytest.mark.parametrize("every", [1, 3])
def test_epochs_and_stops_trace_each_kind_of_round_once(traces, tmp_path, every):
    trainer, sets = make_trainer(every, "a"), {"a": EXAMPLES["a"]}
    how = Training(rounds=9, batch_size=10, schedule="cosine", precision="mixed_bfloat16")
    train(trainer, sets, how, [], tmp_path / "last_good.keras", stops=[1, 2, 4, 8])
    assert traces["train_round"] == (1 if every == 1 else 2) and trainer.rounds == 9
    trainer.fit(sets, batch_size=10, epochs=2, steps_per_epoch=3, verbose=0)
    assert traces["train_round"] == (1 if every == 1 else 2)


def test_evaluation_traces_once_for_each_combination_of_sizes(traces):
    trainer = make_trainer()
    trainer.compile("sgd")
    for _ in range(2):
        trainer.evaluate(EXAMPLES, batch_size=10, verbose=0)
    # Sizes are 10, 9, 9, 9 and 8, 8, 7, and 7 again: XLA compiles for (10, 8), (9, 8), (9, 7).
    # Without it one program takes any.
    assert traces["test_round"] == (3 if JAX else 1)


def test_a_smaller_last_minibatch_of_a_users_data_costs_one_trace_more_at_most(traces):
    trainer = make_trainer(names="a")
    trainer.compile("sgd")
    images, labels = data(20, seed=3)
    batches = [(images[:8], labels[:8]), (images[8:16], labels[8:16]), (images[16:], labels[16:])]
    trainer.fit({"a": batches}, epochs=3, steps_per_epoch=3, verbose=0)
    assert traces["train_round"] == (2 if JAX else 1)
    assert np.isfinite(trainer.evaluate({"a": (images, labels)}, verbose=0)).all()
