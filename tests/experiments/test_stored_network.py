"""A network on disk: what is missing or does not fit is said in one line."""

import json
import shutil

import keras
import numpy as np
import pytest

from keras_compat import networks
from keras_compat.errors import InputError
from keras_compat.experiments.components.run_discovery import parts_of_network
from keras_compat.experiments.runner.item_folder import NETWORKS, ItemFolder
from keras_compat.experiments.stored_network import StoredNetwork, fingerprint, load_network
from tests.experiments.damage import DAMAGES, damaged_copy


@pytest.fixture(scope="module")
def network():
    extractor = networks.build_extractor("resnet8:filters=4", (8, 8, 1), seed=0)
    parts = {
        name: networks.build_head("resnet8:filters=4", classes=n, seed=n, name=name)
        for name, n in (("head", 2), ("rotation_head", 4))
    }
    return StoredNetwork(
        extractor, parts["head"], {"rotation": parts["rotation_head"]}, ("cat", "dog"), True
    )


@pytest.fixture(scope="module")
def saved(network, tmp_path_factory):
    folder = ItemFolder(tmp_path_factory.mktemp("steps") / "step")
    settings = {"architecture": "resnet8:filters=4"}
    folder.save_models(network.models(), 1.0, settings, {}, network=network.about())
    return folder.path


@pytest.fixture
def place(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "step") / NETWORKS


def edit(place, **changes):
    made_by = json.loads((place / "made_by.json").read_text())
    made_by["network"].update(changes)
    (place / "made_by.json").write_text(json.dumps(made_by))


def test_a_stored_network_comes_back_as_it_was(network, place):
    again = load_network(place)
    assert (again.class_names, again.flippable) == (("cat", "dog"), True)
    images = np.random.default_rng(0).integers(0, 255, (4, 8, 8, 1)).astype("float32")
    for ours, theirs in (
        (network.head, again.head),
        (network.auxiliary_heads["rotation"], again.auxiliary_heads["rotation"]),
    ):
        np.testing.assert_allclose(
            np.asarray(theirs(again.extractor(images))),
            np.asarray(ours(network.extractor(images))),
            atol=1e-6,
        )


def test_what_is_missing_or_broken_is_named(place):
    (place / "rotation_head.keras").rename(place / "other.keras")
    with pytest.raises(InputError, match="has no rotation_head.keras"):
        load_network(place)
    (place / "rotation_head.keras").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"rotation_head.keras' is no .keras file"):
        load_network(place)
    (place / "made_by.json").write_text("{}")
    with pytest.raises(InputError, match="holds no stored network"):
        load_network(place)


def test_names_that_do_not_fit_the_head_are_refused(place):
    edit(place, class_names=["cat", "dog", "frog"])
    with pytest.raises(InputError, match="a head of 2 outputs and the names of 3 classes"):
        load_network(place)


def test_a_head_for_other_features_is_refused(place):
    head = networks.build_head("resnet8:filters=4", input_channels=7, classes=4)
    head.save(place / "rotation_head.keras")
    with pytest.raises(InputError, match="build both with the same interface channels"):
        load_network(place)


@pytest.mark.once
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["made_by.json", "extractor.keras", "rotation_head.keras"])
@pytest.mark.parametrize("read", [load_network, fingerprint, parts_of_network])
def test_whatever_became_of_a_file_is_one_line(saved, tmp_path, read, name, damage):
    place = damaged_copy(saved, tmp_path / "step", f"{NETWORKS}/{name}", damage) / NETWORKS
    try:
        read(place)
    except InputError as error:
        assert "\n" not in str(error) and len(str(error)) < 1000
        assert str(place) in str(error)


def test_a_model_that_is_no_part_of_a_network_is_named(place):
    features = keras.Input((3,))
    flat = keras.Model(features, keras.layers.Dense(2)(features))
    flat.save(place / "extractor.keras")
    with pytest.raises(InputError, match=r"extractor.keras' takes \(None, 3\) and gives"):
        load_network(place)
    two = keras.Input((8, 8, 1)), keras.Input((8, 8, 1))
    keras.Model(two, keras.layers.add(two)).save(place / "extractor.keras")
    with pytest.raises(InputError, match="extractor.keras"):
        load_network(place)
