import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_compat.data import stratified_split
from keras_compat.errors import InputError

many_labels = st.lists(st.integers(-1, 5), min_size=1, max_size=80).map(np.array)


@settings(max_examples=100, deadline=None)
@given(labels=many_labels, seed=st.integers(0, 2**31), data=st.data())
def test_parts_are_disjoint_of_the_size_asked_for_and_repeatable(labels, seed, data):
    first = data.draw(st.integers(0, len(labels)))
    second = data.draw(st.integers(0, len(labels) - first))
    parts = stratified_split(labels, [first, second], seed)
    assert [len(part) for part in parts] == [first, second]
    together = np.concatenate(parts)
    assert len(np.unique(together)) == len(together)
    assert set(together.tolist()) <= set(range(len(labels)))
    for part, again in zip(parts, stratified_split(labels, [first, second], seed), strict=True):
        np.testing.assert_array_equal(part, again)


@settings(max_examples=100, deadline=None)
@given(labels=many_labels, seed=st.integers(0, 2**31), fraction=st.floats(0, 1))
def test_each_class_has_its_share_and_fractions_use_everything(labels, seed, fraction):
    large, small = stratified_split(labels, (fraction, 1 - fraction), seed)
    assert sorted([*large, *small]) == list(range(len(labels)))
    for label in np.unique(labels):
        share = np.mean(labels == label) * len(large)
        assert abs(np.sum(labels[large] == label) - share) <= 1 + 1e-6


def test_seeds_differ():
    labels = np.repeat([0, 1], 50)
    one, other = (stratified_split(labels, [20], seed)[0] for seed in (0, 1))
    assert not np.array_equal(one, other)


def test_a_part_smaller_than_the_number_of_classes():
    (part,) = stratified_split(np.arange(100), [7], seed=0)
    assert len(part) == 7


@pytest.mark.parametrize("sizes", [[11], [6, 5], [-1], (0.9, 0.2), (-0.1, 1.0)])
def test_impossible_sizes_are_refused(sizes):
    with pytest.raises(InputError, match="split"):
        stratified_split(np.zeros(10, int), sizes, seed=0)
