"""Small batches in one call against each batch alone."""

import numpy as np
import pytest

from keras_compat.errors import InputError
from keras_compat.evaluation import accuracy, by_batch_size, predict_logits
from keras_compat.evaluation.prediction import using_statistics
from keras_compat.layers import normalization_layers
from tests.evaluation.small import random_examples


def test_each_batch_is_normalized_as_if_it_were_alone(pair):
    examples = random_examples(48)
    found = by_batch_size(*pair, examples, batch_sizes=[2, 48])
    # The same order, and batches of the same size each.
    expected = {size: predict_logits(*pair, examples, size) for size in (2, 48)}
    assert found == {size: accuracy(*each) for size, each in expected.items()}
    small, large = (logits for logits, _ in expected.values())
    assert (small.argmax(axis=1) != large.argmax(axis=1)).any()


def test_counts_the_classes_asked_for(pair):
    examples = random_examples(12)
    expected = accuracy(*predict_logits(*pair, examples), [0, 2], restrict=True)
    assert by_batch_size(*pair, examples, [0, 2], batch_sizes=[12]) == {12: expected}


def test_draws_so_many_images_and_leaves_out_what_fills_no_batch(pair):
    examples = random_examples(11)
    (_, labels), *_ = examples.evaluation_batches(11)
    used = examples.relabelled(np.where(examples.labels == labels[0], 0, -1))
    # Of a single image, one label counts; of those that no image was drawn of, there is no figure.
    assert set(by_batch_size(*pair, used, batch_sizes=[1], images=1)) == {1}
    last = examples.relabelled(np.where(np.arange(11) == position_of_last(examples), 0, -1))
    with pytest.raises(InputError, match="no example"):
        by_batch_size(*pair, last, batch_sizes=[5])
    assert set(by_batch_size(*pair, last, batch_sizes=[11, 12, 512])) == {11}


def position_of_last(examples):
    numbered = examples.relabelled(np.arange(len(examples)))
    ((_, labels),) = numbered.evaluation_batches(len(examples))
    return labels[-1]


def test_uses_batch_statistics_and_leaves_the_mode_as_it_is(pair):
    examples = random_examples(8)
    expected = by_batch_size(*pair, examples, batch_sizes=[2])
    with using_statistics("moving", *pair):
        assert by_batch_size(*pair, examples, batch_sizes=[2]) == expected
        assert {x.statistics for m in pair for x in normalization_layers(m)} == {"moving"}


def test_refuses_what_is_no_size(pair):
    for wrong in ({"batch_sizes": [4, 0]}, {"images": 0}):
        with pytest.raises(InputError, match="at least 1"):
            by_batch_size(*pair, random_examples(4), **wrong)
