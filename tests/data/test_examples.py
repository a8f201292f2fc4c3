import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_compat.data import Examples
from keras_compat.data.batches import Minibatches
from keras_compat.errors import InputError


def numbered(count: int) -> Examples:
    """Examples whose pixels say which one it is, so that a mix-up of rows shows."""
    images = np.arange(count, dtype=np.uint8).reshape(-1, 1, 1, 1) * np.ones((1, 2, 2, 1), np.uint8)
    return Examples(images, np.arange(count))


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(1, 40),
    batch_size=st.integers(1, 60),
    seed=st.integers(0, 2**40),
    start=st.integers(0, 30),
)
def test_minibatches(count, batch_size, seed, start):
    examples = numbered(count)
    batches = examples.batches(batch_size, seed)
    number = -(-3 * count // batch_size)
    drawn = [batches[i] for i in range(number)]
    assert all(len(labels) == batch_size for _, labels in drawn)
    assert all((images[:, 0, 0, 0] == labels).all() for images, labels in drawn)
    # Three epochs, each a permutation.
    labels = np.concatenate([labels for _, labels in drawn])[: 3 * count].reshape(3, count)
    assert (np.sort(labels, axis=1) == np.arange(count)).all()
    # Any batch, at any time, from any start.
    resumed = examples.batches(batch_size, seed, start)
    for i in (2, 0):
        np.testing.assert_array_equal(
            resumed[i][1], examples.batches(batch_size, seed)[start + i][1]
        )


def test_epochs_and_seeds_have_their_own_order():
    batches = numbered(50).batches(50, seed=3)
    assert not np.array_equal(batches[0][1], batches[1][1])
    assert not np.array_equal(batches[0][1], numbered(50).batches(50, seed=4)[0][1])


@settings(max_examples=60, deadline=None)
@given(count=st.integers(0, 60), batch_size=st.integers(1, 70), seed=st.integers(0, 2**40))
def test_evaluation_batches_cover_all_once_and_are_near_equal(count, batch_size, seed):
    batches = list(numbered(count).evaluation_batches(batch_size, seed))
    sizes = [len(labels) for _, labels in batches]
    assert len(sizes) == -(-count // batch_size)
    assert not sizes or max(sizes) <= batch_size and max(sizes) - min(sizes) <= 1
    labels = np.concatenate([np.empty(0, int), *[labels for _, labels in batches]])
    assert sorted(labels) == list(range(count))
    assert all((images[:, 0, 0, 0] == labels).all() for images, labels in batches)


def test_a_thousand_by_512_is_two_halves_in_one_fixed_shuffled_order():
    examples = Examples(np.zeros((1000, 1, 1, 1), np.uint8), np.repeat(np.arange(10), 100))
    first, second = ([y for _, y in examples.evaluation_batches(512)] for _ in range(2))
    assert [len(labels) for labels in first] == [500, 500]
    assert all(len(np.unique(labels)) == 10 for labels in first)
    np.testing.assert_array_equal(first, second)


def test_fit_takes_the_minibatches_in_their_order():
    seen = []

    class Recorded(Minibatches):
        def __getitem__(self, index):
            seen.append(index)
            return super().__getitem__(index)

    examples = numbered(10)
    model = keras.Sequential(
        [keras.Input((2, 2, 1), dtype="uint8"), keras.layers.Rescaling(1 / 255)]
        + [keras.layers.Flatten(), keras.layers.Dense(10)]
    )
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    batches = Recorded(examples, 4, 0, 0)
    history = model.fit(batches, steps_per_epoch=3, epochs=2, shuffle=False, verbose=0)
    assert len(history.history["loss"]) == 2
    # Keras peeks at the first batches for their type; then they come in order over both epochs. It
    # may read on ahead of what it needs, and sooner on a busy machine.
    start = len(seen) - 1 - seen[::-1].index(0)
    assert seen[start : start + 6] == list(range(6))


def test_subset_keeps_the_order_and_images_are_read_only():
    examples = numbered(10).subset([7, 2, 2])
    assert examples.labels.tolist() == [7, 2, 2]
    assert examples.images[:, 0, 0, 0].tolist() == [7, 2, 2]
    assert examples.labels.dtype == np.int32
    with pytest.raises(ValueError, match="read-only"):
        examples.images[0] = 0


def test_the_callers_array_stays_writable():
    images = np.zeros((2, 1, 1, 1), np.uint8)
    Examples(images, np.array([0, 1]))
    images[0] = 1
    assert images[0] == 1


def test_fingerprint_follows_pixels_and_labels():
    base = numbered(5)
    assert base.fingerprint() == numbered(5).fingerprint()
    assert base.fingerprint()["count"] == 5
    changed = base.images.copy()
    changed[3, 1, 1, 0] ^= 1
    prints = {
        examples.fingerprint()["sha256"]
        for examples in (
            base,
            Examples(changed, base.labels),
            base.relabelled(base.labels[::-1]),
            base.subset([1, 0, 2, 3, 4]),
        )
    }
    assert len(prints) == 4


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (np.zeros((2, 4, 4, 1), np.float32), np.zeros(2, int)),
        (np.zeros((2, 4, 4), np.uint8), np.zeros(2, int)),
        (np.zeros((2, 4, 4, 2), np.uint8), np.zeros(2, int)),
        (np.zeros((2, 4, 4, 1), np.uint8), np.zeros(2, float)),
    ],
)
def test_other_shapes_and_types_are_refused(images, labels):
    with pytest.raises(InputError, match="expected"):
        Examples(images, labels)


def test_no_batches_from_nothing_or_of_nothing():
    with pytest.raises(InputError, match="no examples"):
        numbered(0).batches(4, 0)
    with pytest.raises(InputError, match="batch_size is 0"):
        numbered(3).batches(0, 0)
    with pytest.raises(InputError, match="batch_size is 0"):
        list(numbered(3).evaluation_batches(0))
