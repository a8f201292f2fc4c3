"""Maps that are fitted without labels undo what they can undo, to rounding."""

import numpy as np
import pytest
from scipy.stats import ortho_group

from keras_compat.data import Examples
from keras_compat.errors import InputError
from keras_compat.evaluation import predict_logits
from keras_compat.evaluation.baselines import LeastSquares, Permutation, Procrustes

RNG = np.random.default_rng(0)
SHUFFLED = np.eye(8)[np.roll(np.arange(8), 3)]
ORTHOGONAL = ortho_group.rvs(8, random_state=0)
INVERTIBLE = RNG.normal(size=(8, 8))
OFFSET = RNG.normal(size=8)


def difference(connected, pair, test_images):
    """How far the logits are from those of the target network, in standard deviations."""
    expected, _ = predict_logits(pair.target_extractor, pair.target_head, test_images)
    found, _ = predict_logits(
        connected.extractor, connected.head, test_images, statistics=connected.statistics
    )
    return np.abs(found - expected).max() / expected.std()


@pytest.mark.parametrize(
    ("baseline", "kernel", "bias", "tolerance"),
    [
        (Permutation(), SHUFFLED, 0.0, 1e-6),
        (Procrustes(), 2 * ORTHOGONAL, OFFSET, 1e-3),
        (LeastSquares(), INVERTIBLE, OFFSET, 1e-2),
    ],
)
def test_undoes_what_it_can_undo(make_pair, test_images, baseline, kernel, bias, tolerance):
    pair = make_pair(kernel, bias)
    assert difference(baseline.connect(pair), pair, test_images) < tolerance


@pytest.mark.parametrize(
    ("baseline", "kernel"), [(Permutation(), ORTHOGONAL), (Procrustes(), INVERTIBLE)]
)
def test_does_not_undo_what_is_more_than_its_kind_of_map(make_pair, test_images, baseline, kernel):
    pair = make_pair(kernel)
    assert difference(baseline.connect(pair), pair, test_images) > 0.1


def test_a_permutation_only_moves_channels(make_pair):
    connected = Permutation().connect(make_pair(SHUFFLED))
    kernel, bias = connected.extractor.get_layer("connection").get_weights()
    np.testing.assert_array_equal(kernel[0, 0], SHUFFLED.T)
    assert not bias.any()


def test_channels_that_repeat_others_or_are_constant_do_no_harm(make_pair, test_images):
    repeated = np.concatenate([INVERTIBLE, INVERTIBLE[:, :2], np.zeros((8, 1))], axis=1)
    pair = make_pair(repeated, 0.5)
    connected = LeastSquares().connect(pair)
    kernel, _ = connected.extractor.get_layer("connection").get_weights()
    assert difference(connected, pair, test_images) < 1e-2
    np.testing.assert_allclose(kernel[0, 0, 8:10], kernel[0, 0, :2], rtol=1e-3, atol=1e-4)
    assert not kernel[0, 0, 10].any()


def test_fits_to_so_many_images_as_are_asked_for(make_pair, monkeypatch):
    seen = []
    pair = make_pair(SHUFFLED)
    original = Examples.evaluation_batches

    def watched(self, *arguments):
        seen.append(len(self))
        return original(self, *arguments)

    monkeypatch.setattr(Examples, "evaluation_batches", watched)
    for baseline in (LeastSquares(images=20), LeastSquares()):
        baseline.connect(pair)
    assert seen == [20, 200]


def test_a_permutation_needs_as_many_channels(make_pair):
    with pytest.raises(InputError, match=r"\(5, 8\)"):
        Permutation().connect(make_pair(INVERTIBLE[:, :5]))
