import numpy as np
import pytest

from keras_compat.auxiliary import UnitLengthLoss
from tests.training.small import gradient


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
    found = gradient(lambda features: UnitLengthLoss().loss(None, features), zero)
    assert np.isfinite(found).all()
