"""A network on disk: what is missing or does not fit is said in one line."""

import json

import numpy as np
import pytest

from keras_compat import networks
from keras_compat.errors import InputError
from keras_compat.jobs.step_folder import NETWORKS, StepFolder
from keras_compat.jobs.stored_network import StoredNetwork, load_network


@pytest.fixture
def network():
    extractor = networks.build_extractor("resnet8:filters=4", (8, 8, 1), seed=0)
    parts = {
        name: networks.build_head("resnet8:filters=4", classes=n, seed=n, name=name)
        for name, n in (("head", 2), ("rotation_head", 4))
    }
    return StoredNetwork(
        extractor, parts["head"], {"rotation": parts["rotation_head"]}, ("cat", "dog"), True
    )


@pytest.fixture
def place(network, tmp_path):
    folder = StepFolder(tmp_path / "step")
    folder.save_models(network.models(), 1.0, {}, {}, network=network.about())
    return folder.path / NETWORKS


def edit(place, **changes):
    made_by = json.loads((place / "made_by.json").read_text())
    made_by["network"].update(changes)
    (place / "made_by.json").write_text(json.dumps(made_by))


def test_a_stored_network_comes_back_as_it_was(network, place):
    again = load_network(place)
    assert (again.class_names, again.photographs) == (("cat", "dog"), True)
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
