"""Trains a few rounds from fixed weights on one backend, for test_backends.py.

python -m tests.training.rounds FLOATX ROUNDS TASKS FILE writes each round's losses, and how far all
that learns has moved, as npz. After one round of one task with a learning rate of 1 that is the
gradient.
"""

import sys

import keras
import numpy as np

from tests.training.small import data, joint_trainer


class Losses(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.values = []

    def on_epoch_end(self, epoch, logs=None):
        self.values.append([logs[name] for name in sorted(logs)])


def main(floatx, rounds, names, file):
    keras.config.set_floatx(floatx)
    trainer = joint_trainer(tuple(names))
    rng = np.random.default_rng(0)
    for part in trainer.parts.values():
        for weight in part.trainable_weights:
            weight.assign(rng.normal(0.5 if "gamma" in weight.path else 0, 0.3, weight.shape))
    trainer.compile(keras.optimizers.SGD(1.0 if rounds == 1 else 0.1))
    before = [np.array(v.value) for v in trainer.trainable_variables]
    losses = Losses()
    trainer.fit(
        {name: data(seed=ord(name)) for name in names},
        batch_size=8,
        epochs=rounds,
        steps_per_epoch=1,
        verbose=0,
        callbacks=[losses],
    )
    after = [np.array(v.value) for v in trainer.trainable_variables]
    moved = [(x - y).ravel() for x, y in zip(before, after, strict=True)]
    np.savez(file, losses=np.array(losses.values), moved=np.concatenate(moved))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4])
