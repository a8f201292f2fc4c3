"""Trains a few rounds from fixed weights on one backend, for test_backends.py.

python rounds.py FLOATX ROUNDS FILE: writes each round's losses and the final weights as npz.
"""

import os
import sys

os.environ["JAX_ENABLE_X64"] = "1"

import keras
import numpy as np

floatx, rounds, file = sys.argv[1], int(sys.argv[2]), sys.argv[3]
keras.config.set_floatx(floatx)

from tests.training.small import data, joint_trainer, weights


class Losses(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.values = []

    def on_epoch_end(self, epoch, logs=None):
        self.values.append([logs[name] for name in sorted(logs)])


trainer = joint_trainer()
rng = np.random.default_rng(0)
for part in trainer.parts.values():
    for weight in part.trainable_weights:
        weight.assign(rng.normal(0.5 if "gamma" in weight.path else 0, 0.3, weight.shape))
trainer.compile(keras.optimizers.SGD(0.1))
before = weights(trainer)
losses = Losses()
trainer.fit(
    {"a": data(seed=1), "b": data(seed=2)},
    batch_size=8,
    epochs=rounds,
    steps_per_epoch=1,
    verbose=0,
    callbacks=[losses],
)
moved = [(x - y).ravel() for x, y in zip(before, weights(trainer), strict=True)]
np.savez(file, losses=np.array(losses.values), moved=np.concatenate(moved))
