"""Trains on one device and spread over several, for test_distribution.py; prints what differs.

python -m tests.training.spread DISTRIBUTION STATISTICS FLOATX ROUNDS [OPTIMIZER] prints JSON: how
far the weights have moved on one device, how far apart those of the two trainings are at the end,
and the same of the figures that they report; and how often the round was traced where it is spread.
The optimizer clips, decays and has moments; images
are augmented, turned at random and normalized by a layer that was adapted; a task matches the
features of two others; a head is frozen. On TensorFlow the process has as many logical devices as
DEVICES says, on JAX as XLA_FLAGS says.
"""

import json
import sys

import keras
import numpy as np

from keras_compat import networks, training
from keras_compat.auxiliary import CommonClasses, FeatureMatching, RotationPrediction
from keras_compat.layers import Augmentation
from keras_compat.training import AuxiliaryHead, Task, Trainer
from tests.training.logical_devices import logical_devices
from tests.training.small import CLASSES, data, extractor, head

BATCH = 16


def normalized(extractor, name):
    """Returns an extractor of images that are normalized by what a layer was adapted to."""
    layer = keras.layers.Normalization(axis=None)
    layer.adapt(data(40, seed=0)[0].astype(keras.config.floatx()))
    images = keras.Input(extractor.input_shape[1:])
    return keras.Model(images, extractor(layer(images)), name=name)


def make_trainer():
    shared, frozen = head("rotation_head", 4, seed=5), head("common_head", 2, seed=7)
    frozen.trainable = False
    tasks = []
    for number, name in enumerate("ab"):
        held = [
            AuxiliaryHead(RotationPrediction(seed=number), shared),
            AuxiliaryHead(CommonClasses([0, 1], CLASSES), frozen, 0.5),
        ]
        own = normalized(extractor(f"{name}_inner", seed=10 + number), f"{name}_extractor")
        own = own, head(f"{name}_head", seed=number)
        augmentation = Augmentation.for_photographs(seed=30 + number, image_size=8)
        tasks.append(Task(name, *own, held, augmentation=augmentation))
    both = networks.side_by_side(*(task.extractor for task in tasks), name="both")
    tasks.append(Task("both", both, None, [AuxiliaryHead(FeatureMatching())]))
    return CountingTrainer(tasks, seed=3)


OPTIMIZERS = {
    "sgd": lambda how: keras.optimizers.SGD(0.1, momentum=0.9, **how),
    "adam": lambda how: keras.optimizers.Adam(0.01, **how),
}


def train(rounds, optimizer):
    """Returns all that is left after two calls of `fit`, and the figures of the rounds."""
    trainer = make_trainer()
    before = state(trainer)
    trainer.compile(OPTIMIZERS[optimizer]({"weight_decay": 0.01, "global_clipnorm": 0.8}))
    sets = {name: data(40, seed=ord(name[0])) for name in trainer.tasks}
    figures = []
    for epochs in (1, rounds - 1) if rounds > 1 else (1,):
        how = {"batch_size": BATCH, "epochs": epochs, "steps_per_epoch": 1, "verbose": 0}
        figures.append(trainer.fit(sets, **how).history)
    reported = [np.concatenate([f[name] for f in figures]) for name in sorted(figures[0])]
    assert trainer.rounds == rounds
    return before, state(trainer), reported


class CountingTrainer(Trainer):
    """Counts how often Python runs the round: when it is traced, once a replica."""

    traces = 0

    def train_round(self, data, number=0):
        CountingTrainer.traces += 1
        return super().train_round(data, number)


def state(trainer):
    return [np.array(v.value, "float64") for v in trainer.weights]


def largest(ones, others):
    return max(float(np.abs(x - y).max()) for x, y in zip(ones, others, strict=True))


def main(name, statistics, floatx, rounds, optimizer="sgd"):
    keras.config.set_floatx(floatx)
    if keras.backend.backend() == "tensorflow":
        logical_devices()
    distribution = training.start_distribution(name, statistics)
    assert distribution.share(f"of {distribution.worker}") == "of 0"
    assert distribution.share() == ""
    spread = train(int(rounds), optimizer)
    traces = CountingTrainer.traces
    training.set_distribution(None)
    alone = train(int(rounds), optimizer)
    print(
        json.dumps(
            {
                "devices": distribution.devices,
                "workers": distribution.workers,
                "worker": distribution.worker,
                "traces": traces,
                "moved": largest(alone[0], alone[1]),
                "apart": largest(alone[1], spread[1]),
                "figures_apart": largest(alone[2], spread[2]),
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
