"""One small network, trained by the trainer or by plain Keras on the same minibatches."""

from __future__ import annotations

import keras
import numpy as np

from keras_compat.training import Task, Trainer

CLASSES = 4
SIZE = 7


def arrays(count=40, seed=0):
    """Images and labels."""
    random = np.random.default_rng(seed)
    images = random.uniform(size=(count, 3, 3, 1)).astype("float32")
    return images, random.integers(0, CLASSES, count)


def parts():
    """An extractor and a head, with the same weights each time."""
    init = [keras.initializers.GlorotUniform(seed=seed) for seed in range(2)]
    extractor = keras.Sequential(
        [
            keras.Input((3, 3, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(5, activation="tanh", kernel_initializer=init[0]),
        ],
        name="extractor",
    )
    head = keras.Sequential(
        [keras.Input((5,)), keras.layers.Dense(CLASSES, kernel_initializer=init[1])], name="head"
    )
    return extractor, head


class Batches(keras.utils.PyDataset):
    """Arrays in their order, the last minibatch a small one."""

    def __init__(self, *arrays):
        super().__init__()
        self._arrays = arrays

    @property
    def num_batches(self):
        return -(-len(self._arrays[0]) // SIZE)

    def __getitem__(self, index):
        return tuple(array[index * SIZE : (index + 1) * SIZE] for array in self._arrays)


def by_trainer(data, optimizer, callbacks=(), validation=None, eager=False, epochs=2, **how):
    """Trains two epochs; returns the history, by the names of Keras, and the weights."""
    extractor, head = parts()
    trainer = Trainer([Task("a", extractor, head)])
    trainer.compile(optimizer, run_eagerly=eager)
    if validation is not None:
        how["validation_data"] = {"a": validation}
    history = trainer.fit({"a": data}, epochs=epochs, verbose=0, callbacks=list(callbacks), **how)
    found = {k: v for k, v in history.history.items() if not k.endswith("a_loss")}
    found = {k.replace("a_accuracy", "weighted_accuracy"): v for k, v in found.items()}
    return found, values(extractor, head)


def by_keras(data, optimizer, callbacks=(), validation=None, eager=False, epochs=2, **how):
    """As `by_trainer`, by `keras.Model.fit`."""
    extractor, head = parts()
    model = keras.Sequential([extractor, head])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(
        optimizer,
        loss,
        weighted_metrics=[keras.metrics.SparseCategoricalAccuracy(name="weighted_accuracy")],
        run_eagerly=eager,
    )
    history = model.fit(
        data,
        epochs=epochs,
        verbose=0,
        shuffle=False,
        callbacks=list(callbacks),
        validation_data=validation,
        **how,
    )
    return history.history, values(extractor, head)


def values(*models):
    return np.concatenate([np.ravel(v.numpy()) for model in models for v in model.weights])


def assert_same(ours, theirs, tolerance=2e-5):
    """Asserts that two trainings ended with the same weights and reported the same."""
    np.testing.assert_allclose(ours[1], theirs[1], rtol=tolerance, atol=tolerance)
    assert set(ours[0]) == set(theirs[0])
    for name, found in theirs[0].items():
        np.testing.assert_allclose(ours[0][name], found, rtol=tolerance, atol=tolerance)
