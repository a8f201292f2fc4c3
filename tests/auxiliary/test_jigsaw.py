import numpy as np
import pytest

from keras_compat.auxiliary import JigsawPuzzle
from keras_compat.auxiliary.jigsaw import ORDERS, rearrange, spread_orders
from keras_compat.errors import InputError


def images(count, height=6, width=4, channels=3):
    rng = np.random.default_rng(0)
    return rng.uniform(0, 255, (count, height, width, channels)).astype("float32")


def tiles_of(image):
    return [tile for half in np.split(image, 2, axis=0) for tile in np.split(half, 2, axis=1)]


def in_order(image, order):
    a, b, c, d = (tiles_of(image)[place] for place in order)
    return np.block([[[a], [b]], [[c], [d]]])


def test_each_of_the_24_orders_puts_the_tiles_where_it_says():
    x = images(24)
    shown = np.array(rearrange(x, ORDERS))
    for image, order, expected in zip(shown, ORDERS, x, strict=True):
        np.testing.assert_array_equal(image, in_order(expected, order))


def test_training_draws_every_order_and_says_which():
    x = images(480)
    task = JigsawPuzzle(seed=1)
    shown, targets = task.transform(x, None)
    targets = np.array(targets)
    assert np.bincount(targets, minlength=24).min() > 5
    for image, target, original in zip(np.array(shown), targets, x, strict=True):
        np.testing.assert_array_equal(image, in_order(original, spread_orders(24)[target]))


def test_evaluation_takes_the_orders_in_turn():
    task = JigsawPuzzle(outputs=3, seed=1)
    shown, targets = task.transform(images(5), None, training=False)
    assert np.array(targets).tolist() == [0, 1, 2, 0, 1]
    np.testing.assert_array_equal(np.array(shown)[0], images(5)[0])


def test_few_orders_are_well_apart():
    orders = spread_orders(4)
    apart = (orders[:, None] != orders[None]).sum(-1)
    assert apart[~np.eye(4, dtype=bool)].min() == 4
    assert len({tuple(order) for order in spread_orders(24)}) == 24
    for count in (1, 25):
        with pytest.raises(InputError, match="expected 2 to 24"):
            JigsawPuzzle(outputs=count)


def test_images_of_odd_size_lose_their_last_row_or_column():
    x = images(2, 7, 5)
    shown, _ = JigsawPuzzle().transform(x, None, training=False)
    np.testing.assert_array_equal(np.array(shown)[0], x[0, :6, :4])
