"""The job on a TFDS data set that the test prepares, in memory and streamed."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("tensorflow")
pytest.importorskip("tensorflow_datasets")

from apps import classifier_transfer
from keras_compat.data.sources import tensorflow_datasets as source
from keras_compat.experiments.classifier_transfer import shipping
from keras_compat.experiments.classifier_transfer.preparation import prepare
from keras_compat.experiments.classifier_transfer.presets import PRESETS
from keras_compat.experiments.loading import load_dataset, load_options, read
from keras_compat.reporting import load_metrics, select
from keras_compat.training.batches import JointBatches
from tests.apps.shell import exit_code
from tests.data import tiny_tfds

# How images are read is the same on every backend.
pytestmark = [pytest.mark.once, pytest.mark.usefixtures("eager")]

FLAGS = [
    "--dataset=pets",
    "--image_size=8",
    "--initial_classes=2",
    "--recalibration_images=12",
    "--extractors=phone=resnet8:filters=4@stage2",
    "--head=resnet8:filters=4@stage2",
    "--reference=phone",
    "--interface_channels=8",
    "--no-augment",
    "--no-rotation",
    "--maintain=extractor",
    "--upper_bounds=none",
    "--no-export",
    "--batch_size=16",
    "--joint_rounds=2",
    "--update_rounds=2",
]


def prepare_pets(folder):
    examples = tiny_tfds.examples
    tiny_tfds.prepare(folder, "pets", {"train": examples(120), "test": examples(30, 120)})
    return folder


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return prepare_pets(tmp_path_factory.mktemp("tfds"))


@pytest.mark.parametrize(
    ("limit", "hashed", "seeds"),
    [("4", "pixels and labels", 2), ("0", "labels", 1)],
    ids=["held", "streamed"],
)
def test_the_job_runs_on_tfds_data(data_dir, tmp_path, limit, hashed, seeds, capsys):
    place = tmp_path / "run"
    flags = [f"--data_dir={data_dir}", f"--memory_limit_gib={limit}", f"--seeds={seeds}"]
    classifier_transfer.run([*FLAGS, *flags, f"--output_dir={place}"])
    metrics = load_metrics(place / "metrics.json")
    assert metrics["data"]["pets"]["train"]["sha256_of"] == hashed
    printed = capsys.readouterr().out
    assert ("read as they are needed" in printed) == (limit == "0")
    assert ("update_extractor_seed1" in printed) == (seeds == 2)
    report = (place / "report.md").read_text()
    assert ("standard deviation over 2 seeds" in report) == (seeds == 2)
    found = metrics["results"]
    for keys in (
        {"metric": "reference_accuracy", "dataset": "pets"},
        {"metric": "accuracy", "stage": "initial", "subset": "old"},
        {"metric": "accuracy", "statistics": "moving"},
    ):
        assert [r["seed"] for r in select(found, **keys)] == list(range(seeds))
    assert select(found, metric="lower_bound")[0]["value"] == pytest.approx(2 / 3)


def test_streamed_data_that_vanish_within_training_end_it_in_one_line_and_it_goes_on(
    tmp_path, monkeypatch, capsys
):
    data_dir = prepare_pets(tmp_path / "tfds")
    (shard,) = data_dir.rglob("*train.tfrecord*")
    flags = [
        *FLAGS,
        f"--data_dir={data_dir}",
        "--memory_limit_gib=0",
        "--joint_rounds=20",
        f"--output_dir={tmp_path / 'run'}",
    ]
    read = JointBatches.__getitem__

    def vanish(self, index):
        if index == 9 and shard.exists():
            shard.rename(shard.with_suffix(".away"))
        return read(self, index)

    capsys.readouterr()  # what preparing has said
    with monkeypatch.context() as patch:
        patch.setattr(JointBatches, "__getitem__", vanish)
        flags_now = [*flags, "--checkpoint_seconds=0.000001"]
        assert exit_code(classifier_transfer.run, flags_now, patch) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {shard}; No such file or directory; what was finished and the ")
    assert said.count("\n") == 1
    assert len(list((tmp_path / "run").rglob("*.safetensors"))) == 2
    shard.with_suffix(".away").rename(shard)
    classifier_transfer.run(flags)
    assert load_metrics(tmp_path / "run" / "metrics.json")["results"]


def test_files_are_checked_on_some_streamed_images_each_read_once(data_dir, monkeypatch):
    config = replace(
        PRESETS["demo"],
        dataset="pets",
        image_size=8,
        initial_classes="2",
        recalibration_images=12,
        data_dir=str(data_dir),
        memory_limit_gib=0,
    )
    monkeypatch.setattr(shipping, "CHECKED_STREAMED_IMAGES", 12)
    test = prepare(config, load_dataset(config.dataset, load_options(config)), seed=0).test
    checked = shipping.images_to_check(test)
    assert np.bincount(checked.labels).tolist() == [4, 4, 4]
    decoded = []
    conform = source.conform
    monkeypatch.setattr(source, "conform", lambda *a: decoded.append(1) or conform(*a))
    images, labels = read(checked)
    assert len(decoded) == len(images) == 12
    assert labels.tolist() == (images_numbers(data_dir, images) % 3).tolist()
    held = load_dataset(config.dataset, load_options(replace(config, memory_limit_gib=4))).test
    assert shipping.images_to_check(held) is held


def images_numbers(data_dir, images):
    """Returns which of the test's pictures these are, by their resized pixels."""
    numbers = range(120, 150)
    pictures = [tiny_tfds.picture(number)[np.newaxis] for number in numbers]
    known = {source.conform(p, 8, 3).tobytes(): n for p, n in zip(pictures, numbers, strict=True)}
    return np.array([known[image.tobytes()] for image in images])
