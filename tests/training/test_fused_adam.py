"""Adam by TensorFlow's fused kernel computes what Keras' own does, from state to state."""

import keras
import numpy as np
import pytest

from keras_compat.training.backend import fastest

tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the kernel is TensorFlow's"
)


def steps(cls, count, **config):
    """Returns two variables and all state after some steps on the same gradients."""
    random = np.random.default_rng(0)
    variables = [keras.Variable(random.normal(size=s)) for s in ((3, 4), (5,))]
    optimizer = cls(**config)
    optimizer.build(variables)
    for _ in range(count):
        gradients = [random.normal(size=v.shape).astype("float32") for v in variables]
        optimizer.apply([keras.ops.convert_to_tensor(g) for g in gradients], variables)
    return [np.array(v.value) for v in (*variables, *optimizer.variables)]


@tensorflow
@pytest.mark.parametrize(
    "config",
    [
        {"learning_rate": 0.01},
        {"learning_rate": 0.1, "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3},
        {"learning_rate": keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)},
        {"learning_rate": 0.1, "weight_decay": 0.1, "clipnorm": 0.5},
    ],
)
def test_it_computes_what_keras_does(config):
    ours, theirs = (
        steps(cls, 7, **config)
        for cls in (fastest(keras.optimizers.Adam, {}), keras.optimizers.Adam)
    )
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_only_adam_itself_is_replaced():
    class Other(keras.optimizers.Adam):
        pass

    assert fastest(Other, {}) is Other
    assert fastest(keras.optimizers.AdamW, {}) is keras.optimizers.AdamW
    assert fastest(keras.optimizers.Adam, {"amsgrad": True}) is keras.optimizers.Adam
    fused = keras.backend.backend() == "tensorflow"
    replaced = fastest(keras.optimizers.Adam, {"amsgrad": False}) is not keras.optimizers.Adam
    assert replaced == fused
