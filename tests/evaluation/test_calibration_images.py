"""Moving statistics taken on few and on many images."""

import pytest

from keras_compat.errors import InputError
from keras_compat.evaluation import by_calibration_images, recalibrate, recombination_accuracy
from tests.evaluation.small import random_examples


def test_on_all_images_it_is_recalibration_on_all_images(pair):
    calibration, examples = random_examples(24), random_examples(480)
    found = by_calibration_images(*pair, calibration, examples, counts=[2, 24])
    expected = recombination_accuracy(
        *recalibrate(*pair, calibration.images), examples, statistics="moving"
    )
    assert found[24] == expected
    assert found[2] != found[24]


def test_single_images_get_what_batches_get(pair):
    calibration, examples = random_examples(24), random_examples(12)
    found = by_calibration_images(*pair, calibration, examples, counts=[24], batch_size=12)
    assert found == by_calibration_images(*pair, calibration, examples, counts=[24], batch_size=1)


def test_what_there_are_too_few_images_for_is_left_out(pair):
    examples = random_examples(8)
    assert by_calibration_images(*pair, examples, examples, counts=[9, 16]) == {}
    with pytest.raises(InputError, match="at least 1"):
        by_calibration_images(*pair, examples, examples, counts=[0, 4])
