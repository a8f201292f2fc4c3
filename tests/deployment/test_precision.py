"""A model of another precision is written as the same model in float32."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_compat.deployment.conversion import _load
from keras_compat.layers import BatchStatisticsNormalization
from tests.helpers import dtype_policy

layers = keras.layers
IMAGES = np.random.default_rng(0).uniform(0, 255, (4, 8, 8, 3)).astype("float32")


@pytest.fixture(params=["mixed_float16", "mixed_bfloat16", "float16", "float64"])
def policy(request):
    with dtype_policy(request.param):
        yield request.param


def saved(model, folder):
    path = folder / "model.keras"
    model.save(path)
    keras.config.set_dtype_policy("float32")
    return _load(str(path))


def test_all_layers_compute_in_float32_and_keep_what_they_hold(policy, tmp_path):
    normalization = layers.Normalization(name="normalization")
    normalization.adapt(IMAGES)
    inner = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            normalization,
            layers.TimeDistributed(layers.Dense(4, name="wrapped")),
            BatchStatisticsNormalization(statistics="moving"),
            layers.Dropout(0.5),
            layers.Flatten(),
        ],
        name="inner",
    )
    images = keras.Input((8, 8, 3), dtype="float16" if policy == "float16" else None)
    model = keras.Model(images, layers.Dense(3)(inner(images)))
    expected = keras.ops.convert_to_numpy(model(IMAGES)).astype("float64")
    found = saved(model, tmp_path)
    assert {x.dtype for x in found.inputs} == {"float32"}
    held = [x for x in found._flatten_layers() if not isinstance(x, keras.Model)]
    assert {x.dtype_policy.name for x in held} == {"float32"}
    apart = np.abs(keras.ops.convert_to_numpy(found(IMAGES)) - expected).max()
    assert apart < 0.02 * np.abs(expected).max()


def test_whole_numbers_stay_whole(policy, tmp_path):
    tokens = keras.Input((6,), dtype="int32")
    x = layers.Flatten()(layers.Embedding(5, 3)(tokens))
    found = saved(keras.Model(tokens, layers.Dense(2)(x)), tmp_path)
    assert found.inputs[0].dtype == "int32" and found.outputs[0].dtype == "float32"
