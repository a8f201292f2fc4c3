import keras
import numpy as np
import pytest
from keras import ops
from keras.ops import convert_to_numpy as numpy

from keras_compat import data
from keras_compat.errors import InputError
from keras_compat.layers import Augmentation
from tests.helpers import dtype_policy


def pictures(count: int = 16, size: int = 8, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, channels), np.uint8)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_nothing_on_or_not_training_changes_nothing(dtype: str):
    images = pictures().astype(dtype)
    on = Augmentation.for_photographs(seed=0)
    for result in (Augmentation()(images, training=True), on(images, training=False)):
        assert keras.backend.standardize_dtype(result.dtype) == "float32"
        np.testing.assert_array_equal(numpy(result), images)


def test_a_flip_is_exact_and_as_often_on_as_off():
    images = pictures(400)
    result = numpy(Augmentation(flip=True, seed=0)(images))
    same = (result == images).all((1, 2, 3))
    mirrored = (result == images[:, :, ::-1]).all((1, 2, 3))
    assert (same ^ mirrored).all()
    assert 150 < mirrored.sum() < 250


@pytest.mark.parametrize(("fill_mode", "pad"), [("reflect", "symmetric"), ("nearest", "edge")])
def test_a_shift_is_a_crop_of_the_padded_image(fill_mode: str, pad: str):
    images = pictures(300)
    result = numpy(Augmentation(shift=2, fill_mode=fill_mode, seed=0)(images))
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)), mode=pad)
    seen = set()
    for before, after in zip(padded, result, strict=True):
        crops = [
            (i, j)
            for i in range(5)
            for j in range(5)
            if (before[i : i + 8, j : j + 8] == after).all()
        ]
        assert len(crops) == 1
        seen.add(crops[0])
    assert len(seen) == 25


def test_a_shift_larger_than_the_image_reflects_again():
    images = pictures(50, size=3)
    result = numpy(Augmentation(shift=7, seed=0)(images))
    assert all(set(np.ravel(a)) <= set(np.ravel(b)) for a, b in zip(result, images, strict=True))


def test_rotation_and_scale_agree_with_scipy():
    from scipy.ndimage import affine_transform

    images = pictures(4, size=9, channels=1)
    layer = Augmentation(rotation=0.3, scale=0.2, fill_mode="nearest", seed=0)
    angles, scales = [0.3, -0.2, 0.1, 0.0], [0.2, 0.0, -0.2, 0.1]
    drawn = iter([np.array(angles), np.array(scales)])
    layer._uniform = lambda shape, most: ops.convert_to_tensor(
        next(drawn).reshape(shape), "float32"
    )
    result = numpy(layer(images))
    for image, after, angle, scale in zip(images, result, angles, scales, strict=True):
        c, s = np.cos(angle) / (1 + scale), np.sin(angle) / (1 + scale)
        matrix = np.array([[c, -s], [s, c]])
        offset = np.array([4, 4]) - matrix @ [4, 4]
        expected = affine_transform(
            image[..., 0].astype(float), matrix, offset, order=1, mode="nearest"
        )
        np.testing.assert_allclose(after[..., 0], expected, atol=0.01)


def test_values_stay_in_the_range_of_the_input():
    images = pictures(64)
    result = numpy(Augmentation(True, 2, 0.5, 0.3, seed=0)(images))
    assert result.min() >= 0 and result.max() <= 255
    small = numpy(Augmentation(True, 2, 0.5, 0.3, seed=0)(images.astype("float32") / 255))
    np.testing.assert_allclose(small * 255, result, atol=1e-3)


def test_a_seed_gives_the_same_images_and_each_call_others():
    images = pictures()
    one, other = Augmentation.for_digits(seed=3), Augmentation.for_digits(seed=3)
    first, second = numpy(one(images)), numpy(one(images))
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, numpy(other(images)))
    assert not np.array_equal(first, numpy(Augmentation.for_digits(seed=4)(images)))


def test_images_that_are_not_square():
    images = np.zeros((3, 7, 5, 3), np.uint8)
    for layer in (Augmentation.for_digits(0), Augmentation.for_photographs(0)):
        assert layer(images).shape == images.shape


@pytest.mark.parametrize(
    ("preset", "jit_compile"),
    [("for_photographs", True), ("for_digits", True), ("for_digits", False)],
)
def test_it_runs_in_a_compiled_training_step(preset: str, jit_compile: bool):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1), dtype="uint8"),
            getattr(Augmentation, preset)(0),
            keras.layers.Flatten(),
            keras.layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, jit_compile=jit_compile)
    dataset = data.load("digits")
    batches = dataset.train.batches(20, seed=0)
    history = model.fit(batches, steps_per_epoch=2, epochs=1, shuffle=False, verbose=0)
    assert np.isfinite(history.history["loss"][0])
    # Dense sees the very pixels where the network is not trained.
    images = dataset.test.images[:4]
    kernel, bias = model.layers[-1].get_weights()
    expected = images.reshape(4, -1).astype("float32") @ kernel + bias
    np.testing.assert_allclose(model.predict(images, verbose=0), expected, rtol=1e-3, atol=1e-2)


def test_it_is_saved_with_a_model(tmp_path):
    layer = Augmentation(True, 2, 0.1, 0.05, "nearest", seed=5)
    model = keras.Sequential([keras.Input((8, 8, 1)), layer])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras").layers[-1]
    assert loaded.get_config() == layer.get_config()
    images = pictures(channels=1)
    np.testing.assert_array_equal(numpy(loaded(images)), numpy(layer(images)))


def test_mixed_precision_leaves_the_pixels_whole():
    with dtype_policy("mixed_float16"):
        result = Augmentation.for_photographs(0)(pictures())
    assert keras.backend.standardize_dtype(result.dtype) == "float32"


def test_presets_follow_the_data_set():
    digits = Augmentation.for_dataset(data.load("digits", image_size=16), seed=1)
    assert not digits.flip
    assert (digits.shift, digits.rotation, digits.scale) == (2, 0.2, 0.15)
    images = data.Examples(np.zeros((2, 32, 32, 3), np.uint8), np.array([0, 1]))
    pets = data.ImageDataset("pets", images, images, ("cat", "dog"), flippable=True)
    photographs = Augmentation.for_dataset(pets, seed=1)
    assert photographs.flip
    assert (photographs.shift, photographs.rotation, photographs.fill_mode) == (4, 0, "reflect")


@pytest.mark.parametrize(
    "arguments",
    [{"shift": -1}, {"shift": 1.5}, {"rotation": -0.1}, {"scale": 1.0}, {"fill_mode": "zero"}],
)
def test_arguments_out_of_range(arguments: dict):
    with pytest.raises(InputError, match=next(iter(arguments))):
        Augmentation(**arguments)
