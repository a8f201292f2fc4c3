"""A head of the store on an extractor of it."""

from dataclasses import replace

import numpy as np
import pytest

from keras_compat import networks
from keras_compat.store import Component, Reference, Store, load, pack
from keras_compat.store.errors import IncompatibleError
from keras_compat.store.packing import auxiliary_record
from keras_compat.store.recombining import recombine
from tests.store import made

pytestmark = pytest.mark.once
EXTRACTOR, HEAD = Reference("phone", "1"), Reference("head", "1")


def publish(store, reference, component):
    store.publish(reference, pack(component, str(reference)))


def rotation(seed):
    return auxiliary_record(pack(made.rotation_head(seed)), "frozen")


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def test_parts_of_one_family(store):
    shared, other = rotation(0), rotation(1)
    publish(store, EXTRACTOR, replace(made.extractor(), auxiliaries=[shared, other]))
    publish(store, HEAD, replace(made.head(), auxiliaries=[shared]))
    pair = recombine(store, Reference.parse("phone"), Reference.parse("head"))
    assert pair.family == {shared.sha256}
    publish(store, Reference("pair", "1"), pair.network)
    manifest = store.manifest(Reference("pair", "1"))
    assert [(p.name, p.version, p.kind) for p in manifest.parents] == [
        ("phone", "1", "extractor"),
        ("head", "1", "head"),
    ]
    assert manifest.auxiliaries == (shared,) and manifest.class_names == ("cat", "dog")
    found = load(store, Reference("pair", "1"))
    images = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 1)).astype("float32")
    features = made.extractor().extractor.predict_on_batch(images)
    np.testing.assert_array_equal(
        found.head.predict_on_batch(found.extractor.predict_on_batch(images)),
        made.head().head.predict_on_batch(features),
    )


def test_a_part_of_a_pair_keeps_its_family(store):
    family = rotation(0)
    publish(store, EXTRACTOR, replace(made.extractor(), auxiliaries=[family]))
    publish(store, HEAD, made.head())
    publish(store, Reference("own-head", "1"), replace(made.head(1), auxiliaries=[family]))
    publish(store, Reference("pair", "1"), recombine(store, EXTRACTOR, HEAD).network)
    again = recombine(store, Reference("pair", "1"), Reference("own-head", "1"))
    assert again.family == {family.sha256}
    both = recombine(store, Reference("pair", "1"), Reference("pair", "1"))
    assert both.family == frozenset() and both.network.kind == "network"
    # The head of the pair is of no family, whatever its extractor is of.
    assert recombine(store, EXTRACTOR, Reference("pair", "1")).family == frozenset()


def test_other_interfaces_are_both_named(store):
    publish(store, EXTRACTOR, made.extractor())
    model = networks.build_head(made.HEAD, input_channels=16, classes=2, seed=0)
    publish(store, HEAD, Component(head=model, head_architecture=made.HEAD, class_names=("a", "b")))
    with pytest.raises(IncompatibleError, match=r"4 x 4 x 8 .* any x any x 16"):
        recombine(store, EXTRACTOR, HEAD)


def test_other_kinds(store):
    publish(store, EXTRACTOR, made.extractor())
    publish(store, HEAD, made.head())
    with pytest.raises(IncompatibleError, match="head@1 is of kind head; expected one with extr"):
        recombine(store, HEAD, HEAD)
    with pytest.raises(IncompatibleError, match="phone@1 is of kind extractor; expected one with"):
        recombine(store, EXTRACTOR, EXTRACTOR)
