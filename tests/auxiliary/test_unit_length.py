import keras
import numpy as np
import pytest

from keras_compat.auxiliary import UnitLengthLoss


@pytest.mark.parametrize("shape", [(4, 3, 2, 5), (4, 5)])
def test_loss_and_score_are_of_the_length_at_each_position(shape):
    features = np.random.default_rng(0).normal(size=shape).astype("float32")
    lengths = np.linalg.norm(features, axis=-1).reshape(4, -1)
    task = UnitLengthLoss()
    shown, labels = task.transform("images", "labels")
    assert (shown, labels) == ("images", "labels")
    np.testing.assert_allclose(
        np.array(task.loss(None, features)), ((lengths - 1) ** 2).mean(-1), rtol=1e-5
    )
    length, counts = task.score(None, features)
    np.testing.assert_allclose(np.array(length), lengths.mean(-1), rtol=1e-5)
    assert np.array(counts).tolist() == [1] * 4


def test_features_of_zero_have_a_finite_gradient():
    zero = np.zeros((2, 3, 3, 4), "float32")
    if keras.backend.backend() == "jax":
        import jax

        gradient = jax.grad(lambda f: UnitLengthLoss().loss(None, f).sum())(zero)
    else:
        import tensorflow as tf

        features = tf.constant(zero)
        with tf.GradientTape() as tape:
            tape.watch(features)
            loss = tf.reduce_sum(UnitLengthLoss().loss(None, features))
        gradient = tape.gradient(loss, features)
    assert np.isfinite(np.array(gradient)).all()


def test_configuration_survives():
    task = UnitLengthLoss(name="length")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(task))
    assert again.name == "length" and (again.uses_head, again.outputs) == (False, 0)
