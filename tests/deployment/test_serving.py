"""Versions for a model server, called by a client that has TensorFlow and not this package."""

from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from PIL import Image
from scipy.special import softmax

from keras_compat import networks
from keras_compat.data.images import conform_image
from keras_compat.deployment import export_version, serving
from tests.deployment.in_process import export, make_pair
from tests.helpers import python

pytestmark = pytest.mark.once
CLIENT = Path(__file__).with_name("client.py")
NAMES = ("cat", "dog", "über")


def make_network(channels=1):
    pair = make_pair((8, 8, channels), "resnet8", "mobilenet_v2_small", channels=8)
    return networks.recombine(*pair)


def pictures(channels):
    """Pictures of the network's size and of others."""
    generator = np.random.default_rng(0)
    for height, width in ((8, 8), (8, 8), (20, 16), (5, 40)):
        array = generator.integers(0, 256, (height, width, 3), "uint8")
        yield Image.fromarray(array).convert("L" if channels == 1 else "RGB")


@pytest.fixture(
    scope="module",
    params=[pytest.param(1, id="grey", marks=pytest.mark.slow), pytest.param(3, id="colour")],
)
def served(request, tmp_path_factory):
    """A version, the images, and what a client got."""
    folder = tmp_path_factory.mktemp("served")
    network = make_network(request.param)
    (folder / "encoded").mkdir()
    read = []
    for number, picture in enumerate(pictures(request.param)):
        picture.save(folder / "encoded" / f"{number}.png")
        read.append(conform_image(picture, 8, request.param))
    images = np.stack(read)
    with patch.object(serving, "export", export):
        version = export_version(network, folder / "models", NAMES, images)
    np.save(folder / "images.npy", images)
    arguments = [version, folder / "images.npy", folder / "encoded", folder / "out.npz"]
    done = python("-I", CLIENT, *arguments)
    assert done.returncode == 0, done.stderr[-2000:]
    expected = network.predict_on_batch(images.astype("float32"))
    return version, expected, dict(np.load(folder / "out.npz"))


def test_pixels_get_scores_and_names(served):
    _, expected, found = served
    np.testing.assert_allclose(found["default_logits"], expected, atol=1e-4)
    np.testing.assert_allclose(found["pixels_scores"], softmax(expected, axis=1), atol=1e-5)
    assert found["pixels_classes"].tolist() == [list(NAMES)] * 4


def test_encoded_images_are_read_as_for_training(served):
    _, expected, found = served
    scores = softmax(expected, axis=1)
    np.testing.assert_allclose(found["encoded_scores"][:2], scores[:2], atol=1e-5)
    assert np.abs(scores[:1] - scores[1:]).max(axis=1).min() > 0.05  # images tell apart
    # Resized by another library: a pixel may be rounded to its neighbour.
    np.testing.assert_allclose(found["encoded_scores"], scores, atol=0.02)
    np.testing.assert_allclose(found["one_scores"], scores[:1], atol=1e-5)
    assert found["encoded_classes"].tolist() == [list(NAMES)] * 4


def test_versions_are_numbered_and_nothing_else_is_there(served, monkeypatch):
    version, *_ = served
    assert version.name == "1"
    (version.parent / "7").mkdir()
    (version.parent / "7" / "file").touch()
    monkeypatch.setattr(serving, "export", lambda jobs: jobs[0].path.mkdir())
    monkeypatch.setattr(serving, "evaluate_saved_model", lambda path, images: np.zeros((4, 3)))

    class Zeros:
        def predict_on_batch(self, images):
            return np.zeros((len(images), 3))

    images = np.zeros((4, 8, 8, 1), "uint8")
    assert export_version(Zeros(), version.parent, NAMES, images).name == "8"
    assert sorted(path.name for path in version.parent.iterdir()) == ["1", "7", "8"]
    monkeypatch.setattr(serving, "evaluate_saved_model", lambda path, images: np.ones((4, 3)))
    with pytest.raises(ArithmeticError, match="differ from Keras' by 1;"):
        export_version(Zeros(), version.parent, NAMES, images)
    assert sorted(path.name for path in version.parent.iterdir()) == ["1", "7", "8"]
