"""The folder of a device: what is written, and what is never removed for it."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from keras_compat import networks
from keras_compat.errors import InputError
from keras_compat.store import Reference
from keras_compat.store.package import sha256
from keras_compat.updates import device_client, devices, install
from keras_compat.updates.output_paths import check_device_folder
from tests.deployment import in_process
from tests.updates import made

pytestmark = pytest.mark.once
HOW = {"updates": "animals", "families": frozenset({made.FAMILY})}
PHONE = Reference("phone", "1")


@pytest.fixture(scope="module")
def extractor():
    return networks.build_extractor(
        "resnet8:filters=4@stage1", (8, 8, 1), interface_channels=2, seed=0
    )


IMAGES = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 1), "uint8")


@pytest.fixture
def no_converter(monkeypatch):
    """A small file stands in for what the converter writes, in no time."""

    def write(jobs):
        for job in jobs:
            Path(job.path).write_bytes(made.EXTRACTOR)

    monkeypatch.setattr(devices, "export", write)


def test_a_device_folder_holds_what_the_client_and_other_apps_need(
    extractor, tmp_path, monkeypatch
):
    monkeypatch.setattr(devices, "export", in_process.export)
    folder = install(
        tmp_path / "phone", extractor, PHONE, **HOW, quantization="int8", images=IMAGES
    )
    assert {path.name for path in folder.iterdir()} == {
        *("device.json", "extractor.json", "extractor.tflite")
    }
    content = (folder / "extractor.tflite").read_bytes()
    device = device_client.status(folder)[0]
    assert device["quantization"] == "int8" and device["image_shape"] == [8, 8, 1]
    about = json.loads((folder / "extractor.json").read_text())
    assert about["sha256"] == device["sha256"] == sha256(content)
    assert about["input"]["type"] == "uint8" and about["input"]["shape"] == [1, 8, 8, 1]
    assert about["output"]["shape"] == [1, *device["interface"]]


def used(folder):
    """A device with an update in use."""
    made.device(folder)
    (folder / "extractor.json").write_text("{}")
    device_client.apply(folder, made.update(folder.with_name("1.zip"), 1))
    return folder


def test_a_device_is_replaced_where_that_is_wanted(extractor, tmp_path, no_converter):
    folder = used(tmp_path / "phone")
    with pytest.raises(InputError, match="phone exists; expected a free path, or pass overwrite"):
        install(folder, extractor, PHONE, **HOW, images=IMAGES)
    assert (folder / "heads").exists()
    install(folder, extractor, PHONE, **HOW, images=IMAGES, overwrite=True)
    assert device_client.status(folder)[1] is None and not (folder / "heads").exists()


def a_folder(path):
    path.mkdir()
    (path / "thesis.tex").touch()


def of_another_program(path):
    path.mkdir()
    (path / "device.json").write_text('{"screen": 5}')


def with_a_file_more(name):
    def make(path):
        used(path)
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).touch()

    return make


def with_a_link(path):
    used(path)
    (path / "heads" / "7").symlink_to(path.parent)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (a_folder, "no device's folder .device.json cannot be read"),
        (of_another_program, "no device's folder .device.json has other fields"),
        (with_a_file_more("thesis.tex"), "it holds 'thesis.tex', which is not a device's"),
        (with_a_file_more("heads/1/thesis.tex"), "it holds 'heads/1/thesis.tex'"),
        (with_a_file_more("heads/thesis.tex"), "it holds 'heads/thesis.tex'"),
        (with_a_file_more("photos/1.png"), "it holds 'photos'"),
        (with_a_link, "it holds 'heads/7'"),
        (Path.touch, "is no folder; expected a free path, or a device's folder"),
        (lambda path: path.symlink_to(path.parent), "is no folder"),
        (os.mkfifo, "is no folder"),
    ],
)
def test_nothing_else_is_replaced(extractor, tmp_path, monkeypatch, make, message):
    monkeypatch.setattr(devices, "export", None)  # before any work
    make(tmp_path / "phone")
    before = sorted(path for path in tmp_path.rglob("*"))
    with pytest.raises(InputError, match=message):
        install(tmp_path / "phone", extractor, PHONE, **HOW, images=IMAGES, overwrite=True)
    assert sorted(path for path in tmp_path.rglob("*")) == before


def test_only_a_folder_is_told_how_it_can_be_replaced(tmp_path):
    (tmp_path / "phone").touch()
    with pytest.raises(InputError, match="is no folder; expected a free path"):
        check_device_folder(tmp_path / "phone", overwrite=False)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_a_folder_that_may_not_be_written_to_is_refused(extractor, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(InputError, match="no permission to write into"):
        install(tmp_path / "locked" / "phone", extractor, PHONE, **HOW, images=IMAGES)
