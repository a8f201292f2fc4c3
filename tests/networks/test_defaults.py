"""Networks built with no more than a name stay the ones that results were measured with."""

from __future__ import annotations

import hashlib

import keras
import pytest

from keras_compat import networks


def fingerprint(model):
    digest = hashlib.sha256()
    for layer in model.layers:
        digest.update(f"{type(layer).__name__} {layer.name}\n".encode())
        for weight in layer.weights:
            digest.update(keras.ops.convert_to_numpy(weight).tobytes())
    return digest.hexdigest()[:16]


@pytest.mark.parametrize(
    ("architecture", "extractor", "head"),
    [
        ("resnet8", "2359ce795aee036d", "97b77c6cdefc7717"),
        ("wide_resnet10", "38459ee236c2a86f", "deefd74253e71475"),
        ("mobilenet_v2_small", "ed2a8d81af13a277", "44230752d4cf3d8e"),
    ],
)
def test_layers_and_initial_weights_do_not_change(architecture, extractor, head):
    built = networks.build_extractor(architecture, (32, 32, 3), seed=0)
    assert fingerprint(built) == extractor
    assert fingerprint(networks.build_head(architecture, classes=10, seed=0)) == head
