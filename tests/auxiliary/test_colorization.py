import keras
import numpy as np
import pytest

from keras_compat.auxiliary import Colorization
from keras_compat.auxiliary.colorization import EDGES, quantized_colours
from keras_compat.data import Examples, ImageDataset
from keras_compat.errors import InputError


def images(count=3, size=8):
    rng = np.random.default_rng(0)
    return rng.uniform(0, 255, (count, size, size, 3)).astype("float32")


def bins_of(colours):
    red, green, blue = np.moveaxis(colours, -1, 0)
    return 5 * np.digitize(red - green, EDGES) + np.digitize((red + green) / 2 - blue, EDGES)


def certain_logits(bins):
    return 100 * np.eye(25, dtype="float32")[bins]


def test_colours_fall_into_the_bins_between_the_edges():
    x = images(20)
    np.testing.assert_array_equal(np.array(quantized_colours(x)), bins_of(x))
    assert len(np.unique(bins_of(x))) > 20


def test_brightness_alone_has_no_colour():
    grey = np.repeat(np.linspace(0, 255, 50, dtype="float32")[:, None], 3, axis=1)
    assert set(np.array(quantized_colours(grey)).tolist()) == {12}


def test_the_extractor_sees_brightness_and_no_colour():
    x = images()
    shown = np.array(Colorization().transform(x, None)[0])
    np.testing.assert_allclose(shown[..., 0], x @ [0.2989, 0.5870, 0.1140], rtol=1e-4)
    np.testing.assert_array_equal(shown[..., 0], shown[..., 1])
    np.testing.assert_array_equal(shown[..., 0], shown[..., 2])


def test_targets_are_the_mean_colours_of_what_a_position_stands_for():
    x, task = images(), Colorization()
    means = x.reshape(3, 2, 4, 2, 4, 3).mean((2, 4))
    logits = certain_logits(bins_of(means))
    _, targets = task.transform(x, None)
    right, counts = task.score(targets, logits)
    assert np.array(right).tolist() == [1, 1, 1] and np.array(counts).tolist() == [1, 1, 1]
    np.testing.assert_allclose(np.array(task.loss(targets, logits)), 0, atol=1e-6)


def test_positions_that_do_not_divide_the_image():
    task = Colorization()
    _, x = task.transform(np.full((3, 8, 8, 3), [200, 0, 0], "float32"), None)
    logits = certain_logits(np.full((3, 3, 5), 24))
    logits[0, 1:] = 0
    right, _ = task.score(x, logits)
    np.testing.assert_allclose(np.array(right), [1 / 3, 1, 1])
    np.testing.assert_allclose(
        np.array(task.loss(x, logits)), [np.log(25) * 2 / 3, 0, 0], rtol=1e-5
    )


def test_half_precision_keeps_the_targets():
    x = keras.ops.cast(images(), "bfloat16")
    shown, targets = Colorization().transform(x, None)
    assert keras.backend.standardize_dtype(shown.dtype) == "bfloat16"
    assert keras.backend.standardize_dtype(targets.dtype) == "float32"
    full = Colorization().transform(keras.ops.cast(x, "float32"), None)[0]
    np.testing.assert_allclose(np.array(keras.ops.cast(shown, "float32")), full, atol=0.51)


def test_grey_images_are_refused():
    grey = Examples(np.zeros((4, 8, 8, 1), "uint8"), np.zeros(4, "int32"))
    dataset = ImageDataset("digits", grey, grey, ("a", "b"), flippable=False)
    with pytest.raises(InputError, match="images of digits have 1 channel; the colorization task"):
        Colorization.for_dataset(dataset)
    with pytest.raises(InputError, match="needs three"):
        Colorization().transform(np.zeros((2, 8, 8, 1), "float32"), None)
