"""The pair of parts that several test files evaluate."""

import keras
import pytest

from tests.evaluation.small import build_pair, random_examples


@pytest.fixture(scope="module")
def pair():
    keras.utils.set_random_seed(0)
    return build_pair()


@pytest.fixture(scope="module")
def examples():
    return random_examples(11)
