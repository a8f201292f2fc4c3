from dataclasses import replace

import numpy as np
import pytest

from keras_compat.errors import InputError
from keras_compat.experiments.classifier_transfer.preparation import prepare
from keras_compat.experiments.classifier_transfer.presets import PRESETS
from keras_compat.experiments.loading import load_dataset, load_options, read

CONFIG = replace(PRESETS["demo"], initial_classes="7,1,3", recalibration_images=60)


def rows(examples):
    return {image.tobytes() for image in examples.images}


def test_initial_classes_come_first_and_no_image_serves_two_ends():
    dataset = load_dataset(CONFIG.dataset, load_options(CONFIG))
    prepared = prepare(CONFIG, dataset, seed=0)
    assert prepared.dataset.class_names[:3] == ("7", "1", "3")
    assert (prepared.initial, prepared.classes) == (3, 10)
    parts = [prepared.train, prepared.recalibration, prepared.test]
    assert [len(p) for p in parts] == [len(dataset.train) - 60, 60, len(dataset.test)]
    for i, one in enumerate(parts):
        for other in parts[i + 1 :]:
            assert not rows(one) & rows(other)
    assert np.bincount(prepared.recalibration.labels, minlength=10).min() >= 5
    old = prepared.of_initial_classes(prepared.test)
    assert set(np.unique(old.labels)) == {0, 1, 2}


def test_another_seed_sets_other_images_aside_but_the_test_images_stay():
    dataset = load_dataset(CONFIG.dataset, load_options(CONFIG))
    one, other = (prepare(CONFIG, dataset, seed=s) for s in (0, 1))
    assert rows(one.recalibration) != rows(other.recalibration)
    np.testing.assert_array_equal(one.test.images, other.test.images)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"initial_classes": "10"}, "at least one left to add"),
        ({"initial_classes": "11"}, "11"),
        ({"initial_classes": "0,cat"}, "unknown class 'cat'"),
        ({"recalibration_images": 1000}, "fewer than half"),
        ({"dataset": "digts"}, "did you mean 'digits'"),
        ({"dataset": "npz:/nowhere/at/all.npz"}, "/nowhere/at/all.npz"),
    ],
)
def test_what_does_not_fit_is_said(changes, message):
    config = replace(CONFIG, **changes)
    with pytest.raises(InputError, match=message):
        prepare(config, load_dataset(config.dataset, load_options(config)), seed=0)


def five_classes(folder, train, test, **changes):
    """Returns the settings for a file that names five classes."""
    random = np.random.default_rng(0)
    np.savez(
        folder / "pets.npz",
        x_train=random.integers(0, 256, (len(train), 8, 8, 1), "uint8"),
        y_train=np.array(train),
        x_test=random.integers(0, 256, (len(test), 8, 8, 1), "uint8"),
        y_test=np.array(test),
        classes=np.array(["ant", "bee", "cat", "dog", "emu"]),
    )
    changes = {"initial_classes": "2", "recalibration_images": 10, **changes}
    return replace(CONFIG, dataset=f"npz:{folder / 'pets.npz'}", **changes)


def test_classes_without_images_are_said(tmp_path):
    config = five_classes(tmp_path, [0, 1, 2] * 20, [0, 1, 2] * 5)
    with pytest.raises(InputError, match="no training images of 'dog', 'emu'; expected some"):
        prepare(config, load_dataset(config.dataset, load_options(config)), seed=0)


def test_classes_whose_only_images_are_set_aside_are_said(tmp_path):
    labels = [0, 1, 2, 3] * 10 + [4]
    config = five_classes(tmp_path, labels, [0, 1, 2, 3, 4], recalibration_images=18)
    with pytest.raises(InputError, match="beside those for recalibration of 'emu'"):
        prepare(config, load_dataset(config.dataset, load_options(config)), seed=0)


def test_a_name_of_the_users_own_stands_for_a_class(tmp_path):
    labels = [0, 1, 2, 3, 4] * 10
    config = five_classes(
        tmp_path, labels, labels, initial_classes="kitten,bee", aliases={"kitten": "cat"}
    )
    assert prepare(
        config, load_dataset(config.dataset, load_options(config)), 0
    ).dataset.class_names[:2] == (
        "cat",
        "bee",
    )


def test_grey_images_become_colour_on_request():
    config = replace(CONFIG, channels=3)
    assert load_dataset(config.dataset, load_options(config)).image_shape == (16, 16, 3)


def test_read_gives_every_image_with_its_label():
    test = load_dataset(CONFIG.dataset, load_options(CONFIG)).test
    images, labels = read(test)
    pairs = {(image.tobytes(), int(label)) for image, label in zip(images, labels, strict=True)}
    assert pairs == {
        (image.tobytes(), int(label)) for image, label in zip(test.images, test.labels, strict=True)
    }
    assert len(images) == len(test)
