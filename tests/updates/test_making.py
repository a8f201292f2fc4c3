"""What an update asks of a head and of devices, and what it says of them.

Heads are converted in tests/apps/test_components.py alone, where that takes its time.
"""

import json

import numpy as np
import pytest

from keras_compat import networks
from keras_compat.data import Examples
from keras_compat.errors import InputError
from keras_compat.store import Component, Reference, Store, pack
from keras_compat.store.package import sha256
from keras_compat.updates import Device, device_client, make_update, making, receive
from keras_compat.updates.archive import bytes_in_archive, write_archive
from keras_compat.updates.device_client import UPDATE, head_file
from keras_compat.updates.manifest import UpdateManifest
from tests.attacks.update_harness import contents
from tests.updates import made

pytestmark = pytest.mark.once
ARCHITECTURE = "resnet8:filters=4@stage2"


@pytest.fixture(scope="module")
def packages():
    """Heads of two channels and of three, and one that is not a classifier's."""

    def packed(channels, **said):
        model = networks.build_head(ARCHITECTURE, input_channels=channels, classes=3, seed=0)
        return pack(Component(head=model, head_architecture=ARCHITECTURE, **said))

    return {
        "head": packed(2, class_names=made.NAMES),
        "wide": packed(3, class_names=made.NAMES),
        "rotation": packed(2, task="rotation"),
    }


@pytest.mark.parametrize(
    ("kind", "folders", "message"),
    [
        ("rotation", [{}], "of kind auxiliary_head; expected a head of a classifier"),
        ("wide", [{"families": []}], "emits features of 2 channels; the head takes 3"),
        ("head", [{}], "share no auxiliary head: its device would refuse"),
        ("head", [{"updates": "cars"}], "takes updates of 'cars'; this one is of 'animals'"),
        ("head", [{"families": []}, {"families": []}], "is there twice"),
        ("head", [], "no devices"),
    ],
)
def test_what_no_device_would_take_is_not_written(packages, tmp_path, kind, folders, message):
    test = Examples(made.LIGHT[None], np.array([0]))
    devices = [
        Device(made.device(tmp_path / str(i), **about), made.LIGHT[None], test)
        for i, about in enumerate(folders)
    ]
    with pytest.raises(InputError, match=message):
        make_update(tmp_path / "x.zip", packages[kind], devices, name="animals", number=1)
    assert not (tmp_path / "x.zip").exists()


def dark_and_light(tmp_path, **about):
    """A device, and two test images of which the head below is right on one."""
    images, labels = np.stack([made.LIGHT, made.DARK]), np.array([1, 1])
    return Device(made.device(tmp_path, **about), images, Examples(images, labels))


def test_it_says_how_right_the_files_are_and_what_they_cost(packages, tmp_path, monkeypatch):
    monkeypatch.setattr(making, "_heads", lambda *given: [made.head(1), made.head(1, weight=2)])
    devices = [dark_and_light(tmp_path / name, families=[]) for name in ("phone", "server")]
    other = made.extractor(light=2.0)
    (tmp_path / "server" / "extractor.tflite").write_bytes(other)
    about = json.loads((tmp_path / "server" / "device.json").read_text())
    about |= {"sha256": sha256(other), "component": "server@1"}
    (tmp_path / "server" / "device.json").write_text(json.dumps(about))
    how = {"name": "animals", "number": 4}
    with pytest.raises(
        InputError, match="reaches 50.0% on phone@1, 50.0% on server@1; expected 60"
    ):
        make_update(tmp_path / "4.zip", packages["head"], devices, **how, least_accuracy=0.6)
    assert not (tmp_path / "4.zip").exists()
    found = make_update(tmp_path / "4.zip", packages["head"], devices, **how, component=False)
    assert [(one.component, one.accuracy) for one in found] == [("phone@1", 0.5), ("server@1", 0.5)]
    members = contents(tmp_path / "4.zip")
    for one, extractor, device in zip(found, (made.EXTRACTOR, other), devices, strict=True):
        name = head_file(sha256(extractor))
        sizes = {part: len(members[part]) for part in (UPDATE, name)}
        assert one.whole_bytes == len(extractor) + sizes[name]
        assert one.update_bytes == sum(bytes_in_archive(*size) for size in sizes.items())
        device_client.apply(device.folder, tmp_path / "4.zip")
        assert device_client.Classifier(device.folder).classify(made.LIGHT)[0] == "dog"
    assert len(members) == 3


def test_the_same_content_gives_the_same_bytes(tmp_path):
    one, other = (made.update(tmp_path / name, 2).read_bytes() for name in ("a.zip", "b.zip"))
    assert one == other
    assert len(one) == 22 + sum(
        bytes_in_archive(name, len(data)) for name, data in contents(tmp_path / "a.zip").items()
    )


def test_an_archive_that_devices_would_refuse_is_not_written(tmp_path):
    found = contents(made.update(tmp_path / "good.zip", 2))
    update = UpdateManifest.model_validate_json(found.pop("update.json"))
    name = next(iter(found))
    with pytest.raises(InputError, match="would be refused by every device"):
        write_archive(tmp_path / "bad.zip", update, {**found, name: found[name][:-1]})
    assert [path.name for path in tmp_path.iterdir()] == ["good.zip"]


@pytest.mark.parametrize(
    "change",
    [
        {"class_names": ["a", "a", "b"]},
        {"number": 0},
        {"number": True},
        {"name": "../x"},
        {"files": {}},
        {"created": "yesterday"},
        {"class_names": ["a", "\u202e", "c"]},
        {"run": 1},
    ],
)
def test_what_the_device_refuses_cannot_be_said(tmp_path, change):
    said = json.loads(contents(made.update(tmp_path / "good.zip", 2))["update.json"])
    UpdateManifest.model_validate_json(json.dumps(said))
    with pytest.raises(ValueError):
        UpdateManifest.model_validate_json(json.dumps({**said, **change}))


def test_an_update_without_a_component_gives_a_server_nothing(tmp_path):
    archive = made.update(tmp_path / "good.zip", 2)
    with pytest.raises(InputError, match="has no component"):
        receive(Store(tmp_path / "store"), archive, Reference("head", "1"))
