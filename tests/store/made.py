"""Components that the tests of the store share."""

from __future__ import annotations

import functools

import numpy as np

from keras_compat import networks
from keras_compat.evaluation import ChannelStatistics
from keras_compat.store import Component, Package, pack

HEAD = "resnet8:filters=4@stage2"
EXTRACTOR = "mobilenet_v2_small@block2"
CHANNELS = 8


def head(seed: int = 0) -> Component:
    """A head of two classes."""
    model = networks.build_head(HEAD, input_channels=CHANNELS, classes=2, seed=seed)
    statistics = ChannelStatistics(np.zeros(CHANNELS), np.ones(CHANNELS))
    return Component(
        head=model,
        head_architecture=HEAD,
        class_names=("cat", "dog"),
        feature_statistics=statistics,
        metrics={"accuracy": 0.5},
    )


def rotation_head(seed: int = 0) -> Component:
    """An auxiliary head."""
    model = networks.build_head(HEAD, input_channels=CHANNELS, classes=4, seed=seed)
    return Component(head=model, head_architecture=HEAD, task="rotation")


def extractor(seed: int = 0) -> Component:
    """An extractor of grey images of 8 x 8."""
    model = networks.build_extractor(
        EXTRACTOR, (8, 8, 1), interface_channels=CHANNELS, seed=seed, name=f"extractor{seed}"
    )
    return Component(extractor=model, extractor_architecture=EXTRACTOR)


@functools.cache
def head_package(seed: int = 0) -> Package:
    """The first as bytes."""
    return pack(head(seed), f"head@{seed}")
