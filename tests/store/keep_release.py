"""Keeps what this release writes, so that every later one is tested to read it.

`python -m tests.store.keep_release`, once for a release, writes `tests/store/releases/VERSION/`: a
store with a component of each kind, and what each answers. What is there is never written again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

import keras_compat
from keras_compat import evaluation, networks
from keras_compat.store import Component, Reference, Store, load, pack
from keras_compat.store.packing import auxiliary_record
from keras_compat.store.recombining import recombine

RELEASES = Path(__file__).with_name("releases")
STORE, EXPECTED = "store", "expected.npz"
_SHAPE, _CHANNELS = (16, 16, 3), 8
_HEAD = "resnet8:filters=4@stage2"


def keep(folder: Path) -> None:
    """Writes the store and what its components answer."""
    folder.mkdir(parents=True)
    store = Store(folder / STORE)
    for name, component in _parts(store):
        store.publish(Reference(name, "1"), pack(component, name))
    images = np.random.default_rng(0).integers(0, 256, (4, *_SHAPE), "uint8")
    expected = {
        str(entry.reference): answer(load(store, entry.reference), images)
        for entry in store.entries()
    }
    np.savez_compressed(folder / EXPECTED, images=images, **expected)


def answer(component: Component, images: np.ndarray) -> np.ndarray:
    """What a component makes of images, or, without an extractor, of features made of them."""
    x = images.astype("float32")
    if component.extractor is None:
        # Of the interface's channels, and of no two alike.
        x = np.repeat(x[..., :1], component.head.input_shape[-1], axis=-1) / 255
        x = x[:, ::2, ::2] * np.arange(1, x.shape[-1] + 1, dtype="float32")
    for model in component.models:
        x = model.predict_on_batch(x)
    return np.asarray(x)


def _parts(store: Store) -> Iterator[tuple[str, Component]]:
    """Components of each kind, of each family of architectures and each normalization."""
    rotation = networks.build_head(_HEAD, input_channels=_CHANNELS, classes=4, seed=0)
    yield "rotation-head", Component(head=_used(rotation), head_architecture=_HEAD, task="rotation")
    record = auxiliary_record(store.package(Reference.parse("rotation-head@1")), "shared")
    for name, architecture, options in (
        ("phone", "mobilenet_v2_small:width=0.5@block2", {}),
        ("server", "wide_resnet10:width=1@stage2", {"normalization": "layer"}),
        ("desktop", "resnet8:filters=4@stage2", {"normalization": "instance"}),
        ("unit", "resnet8:filters=4@stage2", {"features": "unit_length"}),
    ):
        extractor = networks.build_extractor(
            architecture, _SHAPE, interface_channels=_CHANNELS, seed=1, **options
        )
        yield (
            f"{name}-extractor",
            Component(
                extractor=_used(extractor),
                extractor_architecture=architecture,
                auxiliaries=(record,),
            ),
        )
    head = networks.build_head(_HEAD, input_channels=_CHANNELS, classes=3, seed=2)
    yield (
        "animals-head",
        Component(
            head=_used(head),
            head_architecture=_HEAD,
            class_names=("cat", "dog", "häst"),
            auxiliaries=(record,),
            feature_statistics=evaluation.ChannelStatistics(np.zeros(8), np.ones(8)),
            metrics={"accuracy": 0.5},
            licence="Apache-2.0",
        ),
    )
    names = (Reference.parse("phone-extractor@1"), Reference.parse("animals-head@1"))
    pair = recombine(store, *names).network
    yield "phone-animals", pair
    images = np.random.default_rng(1).integers(0, 256, (8, *_SHAPE), "uint8")
    extractor, head = evaluation.recalibrate(pair.extractor, pair.head, images)
    yield "phone-animals-adapted", replace(pair, extractor=extractor, head=head)


def _used(model: keras.Model) -> keras.Model:
    """Gives a new model weights as training leaves them: none is zero, none is one."""
    generator = np.random.default_rng(0)
    for variable in model.weights:
        value = np.asarray(keras.ops.convert_to_numpy(variable))
        variable.assign(value + np.abs(generator.normal(0, 0.1, value.shape)))
    return model


if __name__ == "__main__":
    keep(RELEASES / keras_compat.__version__)
