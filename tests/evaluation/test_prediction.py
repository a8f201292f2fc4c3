"""Logits of recombined pairs, in both modes of normalization."""

import gc
import weakref

import numpy as np
import pytest

from keras_compat.errors import InputError
from keras_compat.evaluation import predict_logits
from keras_compat.evaluation.prediction import using_statistics
from keras_compat.layers import normalization_layers, recalibrating
from keras_compat.networks import copy_model
from tests.evaluation.small import build_head, build_pair, called


def test_equals_calling_the_parts_on_the_same_batches(pair, examples):
    logits, labels = predict_logits(*pair, examples, batch_size=6)
    batches = list(examples.evaluation_batches(6))
    expected = np.concatenate([called(*pair, images) for images, _ in batches])
    assert len(batches) == 2
    np.testing.assert_allclose(logits, expected, atol=1e-4)
    assert labels.tolist() == np.concatenate([y for _, y in batches]).tolist()
    assert (logits.dtype, labels.dtype) == ("float32", "int32")


def test_each_mode_is_right_whatever_was_compiled_before(pair, examples):
    extractor, head = pair
    images = next(iter(examples.evaluation_batches(11)))[0]
    batch, _ = predict_logits(extractor, head, examples, statistics="batch")
    moving, _ = predict_logits(extractor, head, examples, statistics="moving")
    assert {x.statistics for m in pair for x in normalization_layers(m)} == {"batch"}
    np.testing.assert_allclose(batch, called(extractor, head, images), atol=1e-4)
    with using_statistics("moving", *pair):
        np.testing.assert_allclose(moving, called(extractor, head, images), atol=1e-4)
        again, _ = predict_logits(extractor, head, examples, statistics="batch")
    assert np.abs(batch - moving).max() > 0.01
    np.testing.assert_array_equal(again, batch)


def test_sees_weights_and_statistics_that_change_after_compilation(pair, examples):
    extractor, head = pair = [copy_model(model) for model in pair]
    images = next(iter(examples.evaluation_batches(11)))[0]
    predict_logits(extractor, head, examples, statistics="moving")
    with recalibrating(pair):
        expected = called(extractor, head, images)
    moving, _ = predict_logits(extractor, head, examples, statistics="moving")
    np.testing.assert_allclose(moving, expected, atol=1e-3)
    head.get_layer("logits").bias.assign([0.0, 0.0, 100.0])
    logits, _ = predict_logits(extractor, head, examples, statistics="moving")
    assert (logits.argmax(axis=1) == 2).all()


def test_models_are_freed_although_their_compiled_form_is_kept(examples):
    extractor, head = build_pair()
    predict_logits(extractor, head, examples)
    watched = weakref.ref(head)
    del head
    gc.collect()
    assert watched() is None


def test_refuses_parts_that_do_not_fit_and_unknown_modes(pair, examples):
    extractor, head = pair
    other = build_head(channels=9)
    with pytest.raises(InputError, match="8.*9"):
        predict_logits(extractor, other, examples)
    with pytest.raises(InputError, match="'running'"):
        predict_logits(extractor, head, examples, statistics="running")
    assert {x.statistics for m in pair for x in normalization_layers(m)} == {"batch"}
