"""Extractors that learn to emit the same features."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from keras_compat import networks
from keras_compat.auxiliary import FeatureMatching
from keras_compat.errors import InputError
from keras_compat.training import AuxiliaryHead, Task, Trainer


def features(seed, scale=1.0):
    return scale * np.random.default_rng(seed).normal(size=(16, 5, 5, 6)).astype("float32")


def loss(one, other):
    return float(np.mean(FeatureMatching().loss(None, np.concatenate([one, other], axis=-1))))


def test_unrelated_features_have_a_loss_of_one_whatever_their_scale():
    assert loss(features(0), features(1)) == pytest.approx(1, abs=0.1)
    # Smaller features are no way out.
    assert loss(features(0, 1e-2), features(1, 1e-2)) == pytest.approx(1, abs=0.1)
    assert loss(features(0), features(0)) == 0
    # A scale or a place of its own is a difference too: the head takes features as they are.
    assert loss(features(0), 3 * features(0)) == pytest.approx(0.4, abs=0.05)
    assert loss(features(0), features(0) + 1) == pytest.approx(0.5, abs=0.05)


def test_constant_features_have_no_loss_that_is_not_finite():
    zeros = np.zeros((4, 3, 3, 2), "float32")
    assert loss(zeros, zeros) == 0
    assert np.isfinite(loss(zeros, zeros + 1))


def test_the_score_is_a_correlation():
    pair = np.concatenate([features(0), features(0)], axis=-1)
    score, known = FeatureMatching().score(None, ops.convert_to_tensor(pair))
    np.testing.assert_allclose(np.array(score), 1, atol=1e-6)
    np.testing.assert_array_equal(np.array(known), 1)


def test_training_makes_two_extractors_emit_the_same():
    shape = (8, 8, 1)
    extractors = [
        networks.build_extractor("resnet8:filters=4", shape, seed=seed, name=name)
        for seed, name in enumerate(("one", "other"))
    ]
    both = networks.side_by_side(*extractors, name="both")
    task = Task("matching", both, None, [AuxiliaryHead(FeatureMatching())])
    trainer = Trainer([task])
    trainer.compile(keras.optimizers.Adam(0.01))
    images = np.random.default_rng(0).integers(0, 256, (64, *shape)).astype("uint8")
    data = {"matching": (images, np.zeros(64, "int32"))}
    history = trainer.fit(data, batch_size=32, epochs=15, verbose=0).history
    assert history["matching_matching_correlation"][0] < 0.5
    assert history["matching_matching_correlation"][-1] > 0.8


def test_extractors_that_cannot_match_are_refused():
    one, other = (
        networks.build_extractor("resnet8", (8, 8, 1), split, name=split)
        for split in ("stage1", "stage2")
    )
    with pytest.raises(InputError, match="'stage1' and 'stage2' have features of .*same shape"):
        networks.side_by_side(one, other, name="both")
