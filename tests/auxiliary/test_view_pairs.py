import numpy as np
import pytest

from keras_compat.auxiliary import AUXILIARIES, Contrastive, Exemplar
from keras_compat.data import Examples, ImageDataset
from keras_compat.errors import InputError
from tests.training.small import gradient


def images(count):
    return np.random.default_rng(0).uniform(0, 255, (count, 8, 8, 3)).astype("float32")


def vectors(count, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 5)).astype("float32")


def cosines(z):
    z = z / np.linalg.norm(z, axis=-1, keepdims=True)
    return z @ z.T


PARTNERS = np.array([3, 4, 5, 0, 1, 2], "int32")


def test_contrastive_loss_is_the_published_one():
    z = vectors(6)
    similarity = np.exp(cosines(z) / 0.2)
    expected = [
        -np.log(similarity[i, j] / sum(similarity[i, k] for k in range(6) if k != i))
        for i, j in enumerate(PARTNERS)
    ]
    task = Contrastive(temperature=0.2)
    np.testing.assert_allclose(np.array(task.loss(PARTNERS, z)), expected, rtol=1e-4)
    most_similar = np.argmax(similarity - np.diag(np.full(6, np.inf)), axis=-1)
    right, counts = task.score(PARTNERS, z)
    np.testing.assert_array_equal(np.array(right), most_similar == PARTNERS)
    assert np.array(counts).tolist() == [1] * 6


def test_exemplar_loss_is_the_mean_over_all_triplets():
    z = vectors(6)
    distance = 1 - cosines(z)
    triplets = [
        [distance[i, j] - distance[i, k] for k in range(6) if k not in (i, j)]
        for i, j in enumerate(PARTNERS)
    ]
    expected = [np.mean([max(d + 0.5, 0) for d in ds]) for ds in triplets]
    task = Exemplar()
    np.testing.assert_allclose(np.array(task.loss(PARTNERS, z)), expected, rtol=1e-4)
    right, counts = task.score(PARTNERS, z)
    np.testing.assert_allclose(np.array(right), [np.mean(np.less(ds, 0)) for ds in triplets])
    assert np.array(counts).tolist() == [1] * 6


@pytest.mark.parametrize(("count", "every_image", "shown"), [(5, False, 6), (3, True, 6)])
def test_two_views_of_half_of_the_images_cost_no_more_than_one_of_each(count, every_image, shown):
    x = images(count)
    task = Contrastive(every_image=every_image, seed=1)
    views, partners = task.transform(x, None)
    assert views.shape == (shown, 8, 8, 3)
    np.testing.assert_array_equal(np.array(partners), PARTNERS)
    views = np.array(views)
    assert not np.allclose(views[:3], views[3:])


@pytest.mark.parametrize("name", ["contrastive", "exemplar"])
def test_a_batch_of_one_image_and_vectors_of_zero_give_no_nan(name):
    task = AUXILIARIES[name](outputs=5)
    views, partners = task.transform(images(1), None)
    assert views.shape[0] == 2
    np.testing.assert_allclose(np.array(task.loss(partners, vectors(2))), 0, atol=1e-6)
    # No other image to tell it from: an exemplar's score does not count.
    assert np.array(task.score(partners, vectors(2))[1]).tolist() == (
        [0, 0] if name == "exemplar" else [1, 1]
    )
    assert not gradient(lambda z: task.loss(PARTNERS, z), np.zeros((6, 5), "float32")).any()


def test_digits_are_not_mirrored_and_arguments_are_checked():
    data = Examples(np.zeros((4, 8, 8, 3), "uint8"), np.zeros(4, "int32"))
    for photographs in (False, True):
        dataset = ImageDataset("some", data, data, ("a", "b"), flippable=photographs)
        assert Contrastive.for_dataset(dataset, seed=1).flip == photographs
    with pytest.raises(InputError, match="temperature is 0"):
        Contrastive(temperature=0)
    with pytest.raises(InputError, match="margin is -1"):
        Exemplar(margin=-1)
    with pytest.raises(InputError, match="smallest_area is 0"):
        Exemplar(smallest_area=0)
