import keras
import numpy as np

from keras_compat.auxiliary.views import random_views


def views(images, seed=0, training=True, smallest_area=0.25, flip=True):
    generator = keras.random.SeedGenerator(seed)
    return np.array(random_views(images, generator, training, smallest_area, flip))


# One shape for most: on JAX each new one is compiled anew, operation by operation.
SHAPE = (400, 8, 12, 3)


def ramps(channels=3):
    """Brightness rises from left to right; nothing is so bright that a view would cut it off."""
    row = np.linspace(80, 160, SHAPE[2], dtype="float32")
    return np.broadcast_to(row[:, None], (*SHAPE[:3], channels)).copy()


def of_one_colour(colour):
    return np.broadcast_to(np.array(colour, "float32"), SHAPE).copy()


def test_crops_enlarge_and_mirror_half_of_the_images():
    x = ramps()
    changed = views(x)
    slopes = np.diff(changed, axis=2)[:, :, 2:-2]
    assert np.ptp(slopes, axis=(1, 2)).max() < 1e-3, "not straight"
    assert np.ptp(changed, axis=1).max() < 1e-3, "rows differ"
    mirrored = (slopes[:, 0, 0] < 0).mean()
    assert 0.4 < mirrored < 0.6
    assert (np.diff(views(x, flip=False), axis=2) > -1e-4).all()
    # A crop of all rows and columns shows the whole ramp, up to its contrast.
    whole, small = (
        np.median(np.abs(np.diff(views(x, smallest_area=area), axis=2)[:, :, 2:-2]))
        for area in (1.0, 0.25)
    )
    assert small < 0.9 * whole


def test_brightness_and_contrast_change_within_their_limits():
    plain = views(of_one_colour([100, 100, 100]))
    # Rounding aside, one colour stays one colour: all crops of it are the same.
    assert np.ptp(plain, axis=(1, 2, 3)).max() < 1e-3
    levels = plain[:, 0, 0, 0]
    assert 60 <= levels.min() < 70 and 130 < levels.max() <= 140.001


def test_a_fifth_of_the_views_is_grey_and_hues_differ():
    x = of_one_colour([150, 100, 80])
    spread = np.ptp(views(x)[:, 0, 0], axis=-1)
    assert 0.12 < (spread < 1e-3).mean() < 0.28
    first = np.argmax(views(x)[spread > 1, 0, 0], axis=-1)
    assert (first == 0).mean() > 0.6
    ratio = views(x)[spread > 1, 0, 0, 1] / views(x)[spread > 1, 0, 0, 2]
    assert np.ptp(ratio) > 0.3


def test_values_stay_in_range_and_grey_images_grey():
    x = np.random.default_rng(0).uniform(0, 255, (*SHAPE[:3], 1)).astype("float32")
    one, three = views(x), views(np.repeat(x, 3, axis=-1))
    assert one.min() >= 0 and one.max() <= 255 and one.shape == x.shape
    np.testing.assert_allclose(three, np.repeat(one, 3, axis=-1), atol=1e-2)


def test_half_precision_rounds_only_the_result():
    x = ramps()
    half = random_views(
        keras.ops.cast(x, "bfloat16"), keras.random.SeedGenerator(0), True, 0.25, True
    )
    assert keras.backend.standardize_dtype(half.dtype) == "bfloat16"
    rounded = np.array(keras.ops.cast(keras.ops.cast(x, "bfloat16"), "float32"))
    np.testing.assert_allclose(np.array(keras.ops.cast(half, "float32")), views(rounded), atol=0.6)
