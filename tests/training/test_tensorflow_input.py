"""Minibatches of Python as TensorFlow reads them."""

import keras
import numpy as np
import pytest

from tests.training.small import data, eager, joint_trainer

if keras.backend.backend() != "tensorflow":
    pytest.skip("of TensorFlow", allow_module_level=True)

from keras_compat.training.backend.tensorflow.input import as_dataset


class Batches(keras.utils.PyDataset):
    """The n-th has so many images as `counts` says, of so many pixels as `sizes` says."""

    def __init__(self, counts, sizes, endless=False):
        super().__init__()
        self.counts, self.sizes, self.endless = counts, sizes, endless

    @property
    def num_batches(self):
        return None if self.endless else len(self.counts)

    def __getitem__(self, index):
        number = index % len(self.counts)
        size = self.sizes[number]
        images = np.full((self.counts[number], size, size, 1), index, "uint8")
        return {"a": images}, np.arange(self.counts[number])


def test_all_come_in_their_order_whatever_their_sizes():
    batches = Batches([4, 4, 3], [8, 6, 8])
    dataset = as_dataset(batches)
    assert dataset.cardinality() == 3
    images, labels = dataset.element_spec
    assert images["a"].shape.as_list() == [None, None, None, 1] and labels.shape.as_list() == [None]
    for _ in range(2):
        found = list(dataset.as_numpy_iterator())
        for (images, labels), expected in zip(
            found, map(batches.__getitem__, range(3)), strict=True
        ):
            np.testing.assert_array_equal(images["a"], expected[0]["a"])
            np.testing.assert_array_equal(labels, expected[1])


def test_what_has_no_end_is_read_as_long_as_it_is_asked_for():
    dataset = as_dataset(Batches([4, 4], [8, 8], endless=True))
    assert dataset.element_spec[0]["a"].shape.as_list() == [None, 8, 8, 1]
    found = [images["a"][0, 0, 0, 0] for images, _ in dataset.take(5).as_numpy_iterator()]
    assert found == [0, 1, 2, 3, 4]


def test_whatever_a_trainer_reads_is_not_tuned(monkeypatch):
    trainer = eager(joint_trainer(("a",), common=False), "sgd")
    read = []
    for name in ("fit", "evaluate", "predict"):
        kept = getattr(keras.Model, name)

        def noted(self, x, *arguments, kept=kept, **keys):
            read.append(x)
            return kept(self, x, *arguments, **keys)

        monkeypatch.setattr(keras.Model, name, noted)
    sets = {"a": data()}
    trainer.fit(sets, batch_size=8, validation_data=sets, verbose=0)
    trainer.evaluate(sets, batch_size=8, verbose=0)
    trainer.predict(sets["a"][0], batch_size=8, verbose=0)
    # Fitted, evaluated after the epoch and by itself, and predicted.
    assert [dataset.options().autotune.enabled for dataset in read] == [False] * 4


def test_what_a_callback_raises_is_told_though_what_is_read_ahead_fails_too():
    class Broken(keras.utils.PyDataset):
        num_batches = None

        def __getitem__(self, index):
            if index == 2:
                raise OSError("the disk is gone")
            return data(8)

    def stop(batch, logs):
        raise ArithmeticError("a loss is not finite")

    trainer = joint_trainer(("a",), common=False)
    trainer.compile("sgd")
    how = {"steps_per_epoch": 4, "verbose": 0}
    with pytest.raises(OSError, match="the disk is gone"):
        trainer.fit({"a": Broken()}, **how)
    with pytest.raises(ArithmeticError, match="not finite"):
        callback = keras.callbacks.LambdaCallback(on_train_batch_end=stop)
        trainer.fit({"a": Broken()}, callbacks=[callback], **how)
