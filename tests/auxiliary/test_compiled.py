"""Every task compiled with XLA, as TensorFlow does on accelerators, gives what it gives without."""

import keras
import numpy as np
import pytest

from keras_compat.auxiliary import AUXILIARIES, CommonClasses

TASKS = [
    CommonClasses([0, 1], 3) if name == "common_classes" else AUXILIARIES[name]()
    for name in AUXILIARIES
]


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="on JAX all that is trained is compiled with XLA",
)
@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_compiled_evaluation_is_the_same(task):
    import tensorflow as tf

    rng = np.random.default_rng(0)
    images = keras.ops.convert_to_tensor(rng.uniform(0, 255, (6, 8, 8, 3)).astype("float32"))
    labels = keras.ops.convert_to_tensor(np.array([0, 1, 2, -1, 0, 1], "int32"))
    shape = (6, *((2, 2) if task.dense or not task.uses_head else ()), task.outputs or 6)
    outputs = keras.ops.convert_to_tensor(rng.normal(size=shape).astype("float32"))

    def evaluate(images, labels, outputs):
        shown, targets = task.transform(images, labels, training=False)
        return shown, task.loss(targets, outputs), *task.score(targets, outputs)

    plain = evaluate(images, labels, outputs)
    compiled = tf.function(evaluate, jit_compile=True)(images, labels, outputs)
    for value, expected in zip(compiled, plain, strict=True):
        np.testing.assert_allclose(np.array(value), np.array(expected), rtol=1e-4, atol=1e-4)
    assert plain[1].shape == plain[2].shape == plain[3].shape == (6,)
