"""TFDS for real: a data set that the test prepares, or the one named by KERAS_COMPAT_TFDS_DIR.

The environment variable names a TFDS `data_dir` that holds a prepared `cifar10`.
"""

import os
from pathlib import Path

import keras
import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
tfds = pytest.importorskip("tensorflow_datasets")

from keras_compat import data
from keras_compat.data.images import conform
from keras_compat.errors import InputError
from tests.data.tiny_tfds import IMAGE_AND_LABEL, NAMES, examples, picture, prepare
from tests.helpers import python


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tfds")
    prepare(folder, "pets", {"train": examples(60), "test": examples(21, 100)})
    return folder


@pytest.fixture(scope="module")
def held(data_dir: Path) -> data.ImageDataset:
    return data.load("pets", data_dir=data_dir)


@pytest.fixture(scope="module")
def streamed(data_dir: Path) -> data.ImageDataset:
    return data.load("pets", data_dir=data_dir, memory_limit_bytes=100)


def both(
    folder: Path, name: str = "pets", **options
) -> tuple[data.ImageDataset, data.ImageDataset]:
    held = data.load(name, data_dir=folder, **options)
    streamed = data.load(name, data_dir=folder, memory_limit_bytes=100, **options)
    assert isinstance(held.train, data.Examples)
    assert isinstance(streamed.train, data.StreamedExamples)
    return held, streamed


def test_every_image_comes_with_its_label(held: data.ImageDataset):
    dataset = held
    assert dataset.name == "pets"
    assert dataset.class_names == NAMES
    assert dataset.flippable
    numbers = dataset.train.images[:, 0, 0, 0]
    assert sorted(numbers) == list(range(60))
    for image, label, number in zip(
        dataset.train.images, dataset.train.labels, numbers, strict=True
    ):
        np.testing.assert_array_equal(image, picture(number))
        assert label == number % 3
    assert sorted(dataset.test.images[:, 0, 0, 0]) == list(range(100, 121))


def test_streaming_changes_no_pixel_by_resizing(data_dir: Path, held: data.ImageDataset):
    small, streamed = both(data_dir, image_size=8, channels=1)
    assert small.image_shape == streamed.image_shape
    np.testing.assert_array_equal(small.train.images, streamed.train.images)
    np.testing.assert_array_equal(small.train.labels, streamed.train.labels)
    np.testing.assert_array_equal(conform(held.train.images, 8, 1), small.train.images)


def test_streamed_subsets_and_classes_follow_the_order_asked_for(
    held: data.ImageDataset, streamed: data.ImageDataset
):
    order = np.random.default_rng(0).permutation(60)[:17]
    np.testing.assert_array_equal(
        held.train.subset(order).images, streamed.train.subset(order).images
    )
    held, streamed = held.select_classes([2, 0]), streamed.select_classes([2, 0])
    np.testing.assert_array_equal(held.train.images, streamed.train.images)
    np.testing.assert_array_equal(held.train.labels, streamed.train.labels)
    assert set(streamed.train.labels) == {0, 1}
    with pytest.raises(InputError, match="twice"):
        streamed.train.subset([1, 1])


def drawn(batches: tf.data.Dataset, count: int) -> tuple[np.ndarray, np.ndarray]:
    images, labels = zip(*batches.take(count).as_numpy_iterator(), strict=True)
    assert all(len(batch) == len(images[0]) for batch in images)
    return np.concatenate(images), np.concatenate(labels)


def test_streamed_minibatches(streamed: data.ImageDataset):
    train = streamed.train.subset(range(50))
    images, labels = drawn(train.batches(8, seed=1), 19)
    numbers = images[:, 0, 0, 0]
    assert (labels == numbers % 3).all()
    epochs = numbers[:150].reshape(3, 50)
    assert (np.sort(epochs, axis=1) == np.sort(train.images[:, 0, 0, 0])).all()
    assert not (epochs[0] == epochs[1]).all()
    again, _ = drawn(train.batches(8, seed=1, start=9), 10)
    np.testing.assert_array_equal(images[72:], again)
    other, _ = drawn(train.batches(8, seed=2), 19)
    assert not np.array_equal(images, other)


def test_streamed_minibatches_do_not_depend_on_the_global_seed(streamed: data.ImageDataset):
    train = streamed.train
    found = []
    for seed in (0, 1):
        keras.utils.set_random_seed(seed)
        found.append(drawn(train.batches(8, seed=0), 9)[0])
    np.testing.assert_array_equal(*found)
    assert not np.array_equal(found[0][:60], train.images)


def test_fit_takes_a_stream(streamed: data.ImageDataset):
    train = streamed.train
    model = keras.Sequential(
        [keras.Input(train.image_shape, dtype="uint8"), keras.layers.Rescaling(1 / 255)]
        + [keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    history = model.fit(
        train.batches(8, seed=0), steps_per_epoch=3, epochs=2, shuffle=False, verbose=0
    )
    assert np.isfinite(history.history["loss"]).all()


def test_streamed_sets_smaller_than_a_batch_repeat(streamed: data.ImageDataset):
    train = streamed.train.subset([3, 5])
    _, labels = drawn(train.batches(7, seed=0), 1)
    assert len(labels) == 7


def test_streamed_evaluation_covers_all_once(streamed: data.ImageDataset):
    test = streamed.test
    first, second = (list(test.evaluation_batches(10)) for _ in range(2))
    assert [len(labels) for _, labels in first] == [7, 7, 7]
    numbers = np.concatenate([images[:, 0, 0, 0] for images, _ in first])
    assert sorted(numbers) == list(range(100, 121))
    labels = np.concatenate([labels for _, labels in first])
    np.testing.assert_array_equal(labels, (numbers.astype(int) - 100) % 3)
    np.testing.assert_array_equal(labels, np.concatenate([labels for _, labels in second]))


def test_streamed_fingerprint_and_bad_arguments(streamed: data.ImageDataset):
    train = streamed.train
    fingerprint = train.fingerprint()
    assert fingerprint["source"] == "pets/1.0.0:train"
    assert (fingerprint["count"], fingerprint["sha256_of"]) == (60, "labels")
    assert fingerprint["sha256"] != train.relabelled(train.labels[::-1]).fingerprint()["sha256"]
    with pytest.raises(InputError, match="batch_size is 0"):
        train.batches(0, 0)
    with pytest.raises(InputError, match="no examples"):
        train.subset([]).batches(4, 0)
    with pytest.raises(InputError, match="expected none below 0"):
        train.batches(4, 0, start=-1)


def test_validation_stands_in_for_a_hidden_or_missing_test_split(tmp_path: Path):
    splits = {"train": examples(12), "validation": examples(6, 50)}
    prepare(tmp_path, "validated", splits)
    hidden = {**splits, "test": examples(6, 80, label=lambda i: -1)}
    prepare(tmp_path, "hidden", hidden)
    for name in ("validated", "hidden"):
        test = data.load(name, data_dir=tmp_path).test
        assert sorted(test.images[:, 0, 0, 0]) == list(range(50, 56))


def test_a_train_split_alone_is_divided(tmp_path: Path):
    prepare(tmp_path, "alone", {"train": examples(30)})
    held, streamed = both(tmp_path, "alone")
    assert (len(held.train), len(held.test)) == (24, 6)
    numbers = [set(part.images[:, 0, 0, 0]) for part in (held.train, held.test)]
    assert not numbers[0] & numbers[1]
    np.testing.assert_array_equal(held.test.images, streamed.test.images)


def test_images_of_many_sizes_need_an_image_size(tmp_path: Path):
    feature = tfds.features.Image(shape=(None, None, 1))
    rows = examples(6, shape=(5, 7, 1)) + examples(6, 6, shape=(20, 30, 1))
    prepare(tmp_path, "mixed", {"train": rows, "test": rows}, image=feature)
    with pytest.raises(InputError, match="many sizes; give an image_size"):
        data.load("mixed", data_dir=tmp_path)
    held, streamed = both(tmp_path, "mixed", image_size=9)
    assert held.image_shape == (9, 9, 1)
    assert not held.flippable
    np.testing.assert_array_equal(held.train.images, streamed.train.images)


def test_what_is_no_image_classification_set(tmp_path: Path):
    prepare(tmp_path, "captions", {"train": examples(3), "test": examples(3)}, label=None)
    with pytest.raises(InputError, match="expected one 8-bit image"):
        data.load("captions", data_dir=tmp_path)
    prepare(tmp_path, "odd", {"fold": examples(3)})
    with pytest.raises(InputError, match="has the splits fold; expected train and test"):
        data.load("odd", data_dir=tmp_path)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("cifra10", "unknown data set 'cifra10'; did you mean 'cifar10'"),
        ("digit", "did you mean 'digits'"),
        ("fodler:x", "did you mean 'folder:PATH'"),
        ("stl10", "not prepared in"),
        ("stl10", "give --download, or prepare it with: tfds build stl10 --data_dir="),
        ("imagenet_resized/31x31", "cannot be opened"),
        ("", "unknown data set ''"),
    ],
)
def test_unknown_or_absent_data_are_one_line(tmp_path: Path, spec: str, message: str):
    with pytest.raises(InputError, match="^[^\n]*$") as caught:
        data.load(spec, data_dir=tmp_path)
    assert message in str(caught.value)


class ThreeEmus(tfds.core.GeneratorBasedBuilder):
    """A data set with code of its own, to prepare on demand."""

    VERSION = tfds.core.Version("1.0.0")
    source_is_there = True

    def _info(self):
        features = tfds.features.FeaturesDict(IMAGE_AND_LABEL)
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, dl_manager):
        if not self.source_is_there:
            raise ConnectionError("no route to the emus")
        return {split: self._generate_examples() for split in ("train", "test")}

    def _generate_examples(self):
        for key, row in enumerate(examples(3)):
            yield key, {name: row[name] for name in IMAGE_AND_LABEL}


def test_data_are_prepared_only_if_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(InputError, match="downloads are off"):
        data.load("three_emus", data_dir=tmp_path)
    with monkeypatch.context() as context:
        context.setattr(ThreeEmus, "source_is_there", False)
        with pytest.raises(InputError, match="no route to the emus"):
            data.load("three_emus", data_dir=tmp_path, download=True)
    assert len(data.load("three_emus", data_dir=tmp_path, download=True).train) == 3
    assert len(data.load("three_emus", data_dir=tmp_path).test) == 3


def test_a_shard_that_is_cut_off(tmp_path: Path):
    prepare(tmp_path, "cut", {"train": examples(6), "test": examples(6)})
    (shard,) = (tmp_path / "cut" / "1.0.0").glob("*train*")
    shard.write_bytes(shard.read_bytes()[:-40])
    with pytest.raises(InputError, match="cannot be read.*prepare it again"):
        data.load("cut", data_dir=tmp_path)


def test_reading_prints_nothing(data_dir: Path):
    code = f"""
from keras_compat import data
dataset = data.load("pets", data_dir={str(data_dir)!r}, memory_limit_bytes=100)
next(iter(dataset.train.batches(4, 0)))
"""
    done = python("-c", code)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(
    "KERAS_COMPAT_TFDS_DIR" not in os.environ, reason="KERAS_COMPAT_TFDS_DIR names no TFDS folder"
)
def test_cifar10_in_memory_and_streamed():
    held, streamed = both(Path(os.environ["KERAS_COMPAT_TFDS_DIR"]), "cifar10")
    assert (len(held.train), len(held.test), held.image_shape) == (50000, 10000, (32, 32, 3))
    assert held.class_names[:2] == ("airplane", "automobile")
    assert np.bincount(held.train.labels).tolist() == [5000] * 10
    rows = np.arange(49000, 47000, -4)
    np.testing.assert_array_equal(
        held.train.subset(rows).images, streamed.train.subset(rows).images
    )
    images, labels = next(iter(streamed.train.batches(512, seed=0)))
    assert images.shape == (512, 32, 32, 3)
    assert len(np.unique(labels)) == 10
