"""Trains on several devices, whole and interrupted, for test_checkpointing.py; prints what differs.

python -m tests.experiments.spread_resumed DISTRIBUTION prints how far the weights have moved, and
how far apart they are where training was cut off after its third round and went on in another
trainer, and how many rounds that took.
"""

import sys
import tempfile
from pathlib import Path

import keras

from keras_compat import training
from keras_compat.experiments.runner.checkpointing import Resumption
from keras_compat.experiments.settings import TrainingSettings as Training
from keras_compat.experiments.training import train as train_stage
from tests.training.logical_devices import logical_devices
from tests.training.small import data
from tests.training.spread import BATCH, largest, make_trainer, state

HOW = Training(rounds=5, batch_size=BATCH, learning_rate=0.05, optimizer="sgd")


class Killed(BaseException):
    """Nothing is written on its way."""


def kill_at_three(batch, logs):
    if batch == 2:
        raise Killed


def train(folder, callbacks=()):
    trainer = make_trainer()
    before = state(trainer)
    sets = {name: data(40, seed=ord(name[0])) for name in trainer.tasks}
    with Resumption(folder / "checkpoints", 1e-9, {}, {}):
        train_stage(trainer, sets, HOW, callbacks, folder / "last_good.keras")
    assert trainer.rounds == HOW.rounds
    return before, state(trainer)


def main(name):
    if keras.backend.backend() == "tensorflow":
        logical_devices()
    training.start_distribution(name, "global")
    with tempfile.TemporaryDirectory() as place:
        before, whole = train(Path(place, "whole"))
        killed = Path(place, "killed")
        try:
            train(killed, [keras.callbacks.LambdaCallback(on_train_batch_end=kill_at_three)])
            raise AssertionError("it was not cut off")
        except Killed:
            assert list(killed.rglob("*.safetensors"))
        rounds = []
        count = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: rounds.append(batch)
        )
        _, resumed = train(killed, [count])
    print(largest(before, whole), largest(whole, resumed), len(rounds))


if __name__ == "__main__":
    main(*sys.argv[1:])
