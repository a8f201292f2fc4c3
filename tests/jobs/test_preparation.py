from dataclasses import replace

import numpy as np
import pytest

from keras_compat.errors import InputError
from keras_compat.jobs.classifier_transfer.preparation import load_dataset, prepare
from keras_compat.jobs.classifier_transfer.presets import PRESETS

CONFIG = replace(PRESETS["demo"], initial_classes="7,1,3", recalibration_images=60)


def rows(examples):
    return {image.tobytes() for image in examples.images}


def test_initial_classes_come_first_and_no_image_serves_two_ends():
    dataset = load_dataset(CONFIG)
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
    dataset = load_dataset(CONFIG)
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
        prepare(config, load_dataset(config), seed=0)
