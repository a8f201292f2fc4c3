"""What is measured on the networks of a cell, on three networks whose every answer is known."""

import keras
import numpy as np
import pytest

from keras_compat.data import Examples, ImageDataset
from keras_compat.layers import BatchStatisticsNormalization
from keras_compat.reporting import select
from keras_compat.studies import find_measure
from keras_compat.studies.cells import Cell
from keras_compat.studies.trained import Network, Trained

# The head of b takes bright for dark.
NETWORKS = {"a": 1.0, "b": -1.0, "c": 1.0}


def network(name, sign):
    """Tells bright images from dark ones by the sign of what the normalization makes of them."""
    images = keras.Input((2, 2, 1))
    extractor = keras.Model(
        images, BatchStatisticsNormalization(name="norm")(images), name=f"{name}_extractor"
    )
    # By moving statistics everything is dark.
    extractor.get_layer("norm").moving_mean.assign([1000.0])
    features = keras.Input((2, 2, 1))
    x = keras.layers.GlobalAveragePooling2D()(features)
    logits = keras.layers.Dense(2, name="logits")
    head = keras.Model(features, logits(x), name=f"{name}_head")
    logits.set_weights([np.array([[-sign, sign]]), np.zeros(2)])
    return Network(extractor, head)


@pytest.fixture(scope="module")
def trained():
    labels = np.arange(64) % 2
    images = np.broadcast_to((labels * 100 + 50)[:, None, None, None], (64, 2, 2, 1))
    examples = Examples(images.astype("uint8"), labels)
    datasets = {
        name: ImageDataset(name, examples, examples, ("dark", "bright"), False) for name in NETWORKS
    }
    networks = {name: network(name, sign) for name, sign in NETWORKS.items()}
    return Trained(Cell("rp", 0), networks, datasets, batch_size=64)


def by_pair(records, **keys):
    found = select(records, metric="recombination_accuracy", **keys)
    return {(r["extractor"], r["head"]): r["value"] for r in found if "extractor" in r}


def average(records, metric, **keys):
    (found,) = select(records, metric=metric, dataset="average", **keys)
    return found["value"]


def test_the_matrix_has_every_extractor_with_every_other_head(trained):
    records = find_measure("matrix")(trained)
    expected = {(e, h): 0.0 if h == "b" else 1.0 for e in NETWORKS for h in NETWORKS if e != h}
    assert by_pair(records) == expected
    assert average(records, "recombination_accuracy") == pytest.approx(4 / 6)
    assert [r["value"] for r in select(records, metric="chance")] == [0.5]
    own = select(records, metric="own_accuracy", subset="common")
    assert {r["network"]: r["value"] for r in own if "network" in r} == {"a": 1, "b": 0, "c": 1}
    assert average(records, "own_accuracy", subset="all") == pytest.approx(2 / 3)


def test_statistics_as_trained_and_taken_again_are_told_apart(trained):
    records = find_measure("statistics")(trained)
    # As trained, all is dark, which the head of b takes for bright: half is right with any head.
    assert set(by_pair(records, statistics="moving").values()) == {0.5}
    again = by_pair(records, statistics="recalibrated")
    assert again == by_pair(find_measure("matrix")(trained))
    assert average(records, "recombination_accuracy", statistics="recalibrated") == pytest.approx(
        4 / 6
    )


@pytest.mark.once
def test_an_image_by_itself_says_nothing_by_its_own_statistics(trained):
    records = select(find_measure("batch_sizes")(trained), statistics="batch")
    curve = {r["batch_size"]: r["value"] for r in records}
    # Its features are zero: all classes are as likely, and the first is chosen.
    assert curve[1] == pytest.approx(0.5)
    assert curve[64] == pytest.approx(4 / 6)
    assert max(curve) == 64
    (level,) = select(find_measure("batch_sizes")(trained), statistics="recalibrated")
    assert level["value"] == pytest.approx(4 / 6)


def test_statistics_taken_on_some_images_serve_single_ones(trained):
    records = find_measure("calibration")(trained)
    found = {(r["extractor"], r["head"], r["images"]): r["value"] for r in records}
    # There are 64 images to take them on.
    assert {images for *_, images in found} == {16, 32, 64}
    for e, h, images in found:
        assert found[e, h, images] == (0.0 if h == "b" else 1.0)


def test_signals_stand_beside_the_accuracy_of_the_same_pair(trained):
    records = find_measure("signals")(trained)
    found = {(r["signal"], r["extractor"], r["head"]): r["value"] for r in records}
    assert {signal for signal, *_ in found} == {
        *("accuracy", "information", "recovered", "confidence", "agreement", "features")
    }
    for e in NETWORKS:
        for h in NETWORKS:
            # Without labels nobody can tell that network b calls dark what is bright.
            assert found["accuracy", e, h] == (0.0 if h == "b" else 1.0)
            assert found["information", e, h] == pytest.approx(found["information", "a", "a"])
            assert found["features", e, h] == pytest.approx(1, abs=1e-5)
