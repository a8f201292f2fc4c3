"""Trains on several devices with statistics over all and of each, for test_distribution.py.

python -m tests.training.spread_accuracy DISTRIBUTION prints the accuracies on digits as JSON.
"""

import json
import sys

import keras

from keras_compat import data, evaluation, networks, training
from tests.training.logical_devices import logical_devices


def accuracy(name, statistics):
    digits = data.load("digits", image_size=8)
    extractor = networks.build_extractor("resnet8:filters=8@stage2", digits.image_shape, seed=1)
    head = networks.build_head("resnet8:filters=8@stage2", classes=10, seed=2)
    training.start_distribution(name, statistics)
    trainer = training.Trainer([training.Task("digits", extractor, head)])
    trainer.compile(keras.optimizers.Adam(0.01))
    trainer.fit({"digits": digits.train}, batch_size=64, steps_per_epoch=120, verbose=0)
    return evaluation.recombination_accuracy(extractor, head, digits.test)


if __name__ == "__main__":
    if keras.backend.backend() == "tensorflow":
        logical_devices()
    print(json.dumps([accuracy(sys.argv[1], over) for over in ("global", "device")]))
