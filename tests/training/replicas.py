"""Trains on two logical devices and on one, for test_replicas.py; prints the largest difference.

Each of the two sees the batch that the one sees, so their summed gradients are its gradient.
"""

import keras
import numpy as np
import tensorflow as tf

from tests.training.small import data, joint_trainer, weights


def main():
    device = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(device, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    images, labels = data(8, seed=1)
    one = joint_trainer()
    with strategy.scope():
        two = joint_trainer()
        two.compile(keras.optimizers.SGD(0.1, momentum=0.9))
    one.compile(keras.optimizers.SGD(0.1, momentum=0.9))
    start = weights(one)
    for x, y in zip(start, two.weights, strict=True):
        y.assign(x)
    twice = (np.concatenate([images] * 2), np.concatenate([labels] * 2))
    for _ in range(3):
        one.fit(dict.fromkeys("ab", [(images, labels)]), verbose=0)
        two.fit(dict.fromkeys("ab", [twice]), verbose=0)
    moved = max(np.abs(x - y).max() for x, y in zip(start, weights(one), strict=True))
    apart = max(np.abs(x - y).max() for x, y in zip(weights(one), weights(two), strict=True))
    print(two.rounds, strategy.num_replicas_in_sync, moved, apart)


if __name__ == "__main__":
    main()
