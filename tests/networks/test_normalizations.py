"""Networks by batch, layer and instance normalization, and features of unit length."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_compat import layers, networks
from keras_compat.errors import InputError

SHAPE = (16, 16, 3)
IMAGES = np.random.default_rng(0).integers(0, 256, (6, *SHAPE)).astype("float32")
ARCHITECTURES = ("resnet8:filters=4", "wide_resnet10:width=1", "mobilenet_v2_small:width=0.5")
BY_IMAGE = ("layer", "instance")

per_image = pytest.mark.parametrize("normalization", BY_IMAGE)


def to_numpy(x):
    return keras.ops.convert_to_numpy(x).astype("float32")


def pair(architecture, normalization, **kwargs):
    extractor = networks.build_extractor(
        architecture, SHAPE, seed=0, normalization=normalization, **kwargs
    )
    head = networks.build_head(architecture, classes=5, seed=0, normalization=normalization)
    return extractor, head


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@per_image
def test_an_image_is_normalized_alone(architecture, normalization):
    extractor, head = pair(architecture, normalization)
    together = to_numpy(head(extractor(IMAGES)))
    alone = to_numpy(head(extractor(IMAGES[:1])))
    np.testing.assert_allclose(alone, together[:1], rtol=1e-3, atol=1e-4)
    assert np.ptp(together, axis=0).min() > 1e-3  # logits do depend on the image


def test_batch_normalization_sees_the_other_images():
    extractor, head = pair("resnet8:filters=4", "batch")
    together, alone = (to_numpy(head(extractor(x))) for x in (IMAGES, IMAGES[:1]))
    assert np.abs(together[:1] - alone).max() > 0.01
