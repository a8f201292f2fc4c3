import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_compat.auxiliary import AUXILIARIES, RotationPrediction
from keras_compat.auxiliary.rotation import rotate
from keras_compat.errors import InputError


def images(count=6, height=5, width=5, channels=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 255, (count, height, width, channels)).astype("float32")


@settings(max_examples=20, deadline=None)
@given(
    size=st.integers(1, 7),
    channels=st.sampled_from([1, 3]),
    quarters=st.lists(st.integers(0, 3), min_size=1, max_size=5),
)
def test_rotates_as_numpy_does(size, channels, quarters):
    x = images(len(quarters), size, size, channels)
    turned = np.array(rotate(x, np.array(quarters, "int32")))
    for image, k, expected in zip(turned, quarters, x, strict=True):
        np.testing.assert_array_equal(image, np.rot90(expected, k))


def test_random_angles_are_all_drawn_and_match_their_targets():
    x = images(200, 4, 4, 1)
    turned, targets = RotationPrediction(seed=3).transform(x, None)
    targets = np.array(targets)
    counts = np.bincount(targets, minlength=4)
    assert counts.min() > 25
    for image, k, original in zip(np.array(turned), targets, x, strict=True):
        np.testing.assert_array_equal(image, np.rot90(original, k))


def test_all_four_angles_of_every_image():
    x = images(3)
    turned, targets = RotationPrediction("all").transform(x, None)
    assert turned.shape[0] == 12
    for k in range(4):
        np.testing.assert_array_equal(np.array(targets)[3 * k : 3 * k + 3], k)
        np.testing.assert_array_equal(np.array(turned)[3 * k], np.rot90(x[0], k))


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (7, 4)])
def test_images_that_are_not_square_lose_their_margins(shape):
    x = images(4, *shape)
    turned, targets = RotationPrediction("cyclic").transform(x, None)
    assert turned.shape == (4, 4, 4, 3)
    top, left = (shape[0] - 4) // 2, (shape[1] - 4) // 2
    np.testing.assert_array_equal(np.array(turned)[0], x[0, top : top + 4, left : left + 4])
    assert [int(t) for t in targets] == [0, 1, 2, 3]


def test_loss_of_an_example_is_cross_entropy_and_zero_without_a_target():
    task = RotationPrediction()
    logits = np.array([[2.0, 0, 0, 0], [0, 0, 0, 0], [np.inf, 0, 0, 0]], "float32")
    loss = np.array(task.loss(np.array([0, 3, -1], "int32"), logits))
    p = np.exp([2.0, 0, 0, 0])
    np.testing.assert_allclose(loss, [-np.log(p[0] / p.sum()), np.log(4), 0], rtol=1e-5)
    right, counts = task.score(np.array([0, 3, -1], "int32"), logits)
    assert np.array(right).tolist() == [1, 0, 0] and np.array(counts).tolist() == [1, 1, 0]


def test_unknown_names_are_refused():
    with pytest.raises(InputError, match="did you mean 'random'"):
        RotationPrediction("randon")
    with pytest.raises(InputError, match="unknown auxiliary task 'rotations'"):
        AUXILIARIES["rotations"]
