"""What an update asks of a head and of devices, and what it says of them.

Heads are converted in tests/apps/test_components.py alone, where that takes its time.
"""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from keras_compat import networks
from keras_compat.data import Examples
from keras_compat.errors import InputError
from keras_compat.store import Component, Reference, Store, pack
from keras_compat.store.package import file_record, sha256
from keras_compat.updates import Device, device_client, make_update, making, receive
from keras_compat.updates.archive import Archive, write_archives
from keras_compat.updates.device_client import UPDATE, head_file
from keras_compat.updates.making import check_update
from tests.attacks.archives import contents, packed
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
        "others": packed(2, class_names=("car", "bus", "tram")),
        "rotation": packed(2, task="rotation"),
    }


def shown(labels=(0, 1, 2)):
    """Test images of classes, all of them light."""
    return Examples(np.stack([made.LIGHT] * len(labels)), np.array(labels))


@pytest.fixture
def no_work(monkeypatch):
    """No file may be converted: the input is checked before."""
    monkeypatch.setattr(making, "_heads", None)


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
    devices = [
        Device(made.device(tmp_path / str(i), **about), made.LIGHT[None], shown())
        for i, about in enumerate(folders)
    ]
    with pytest.raises(InputError, match=message):
        make_update(tmp_path / "x.zip", packages[kind], devices, name="animals", number=1)
    assert not list(tmp_path.glob("*.zip"))


def dark_and_light(tmp_path, **about):
    """A device, and four test images of which the head below is right on two."""
    images, labels = np.stack([made.LIGHT, made.DARK] * 2), np.array([1, 2, 0, 0])
    return Device(made.device(tmp_path, **about), images, Examples(images, labels))


@pytest.fixture
def two(tmp_path):
    """A phone and a server, with extractors that differ."""
    server = {"content": made.extractor(light=2.0), "component": "server@1"}
    return [
        dark_and_light(tmp_path / "phone", families=[]),
        dark_and_light(tmp_path / "server", families=[], **server),
    ]


HOW = {"name": "animals", "number": 4}
HEADS = [made.head(1), made.head(1, weight=2)]


def test_it_says_how_right_the_files_are_and_what_they_cost(packages, two, tmp_path, monkeypatch):
    monkeypatch.setattr(making, "_heads", lambda *given: HEADS)
    with pytest.raises(
        InputError, match="reaches 50.0% on phone@1, 50.0% on server@1; expected 60"
    ):
        make_update(tmp_path / "4.zip", packages["head"], two, **HOW, least_accuracy=0.6)
    assert not list(tmp_path.glob("*.zip"))
    found = make_update(tmp_path / "4.zip", packages["head"], two, **HOW)
    assert [(one.component, one.accuracy) for one in found] == [("phone@1", 0.5), ("server@1", 0.5)]
    assert {path.name for path in tmp_path.glob("*.zip")} == {
        *("4.zip", "4-phone.zip", "4-server.zip")
    }
    everything = contents(tmp_path / "4.zip")
    assert set(device_client.COMPONENT) < set(everything)
    with pytest.raises(device_client.UpdateError, match="no head for the installed phone@1"):
        device_client.apply(two[0].folder, tmp_path / "4-server.zip")
    for one, device, head in zip(found, two, HEADS, strict=True):
        extractor = (device.folder / "extractor.tflite").read_bytes()
        name, own = head_file(sha256(extractor)), tmp_path / f"4-{device.folder.name}.zip"
        assert one.archive == str(own) and one.update_bytes == own.stat().st_size
        assert one.whole_bytes == len(extractor) + len(head)
        assert contents(own) == {UPDATE: contents(own)[UPDATE], name: head}
        assert everything[name] == head
        said = json.loads(contents(own)[UPDATE])
        assert [extractor["component"] for extractor in said["extractors"]] == [one.component]
        device_client.apply(device.folder, own)
        assert device_client.Classifier(device.folder).classify(made.LIGHT)[0] == "dog"
        fresh = shutil.copytree(device.folder, tmp_path / "fresh" / device.folder.name)
        shutil.rmtree(fresh / "heads")
        (fresh / "state.json").unlink()
        device_client.apply(fresh, tmp_path / "4.zip")
        assert device_client.Classifier(fresh).classify(made.LIGHT)[0] == "dog"


def test_a_damaged_head_in_a_device_folder_is_no_reason_against_the_next(packages, two, tmp_path):
    folders = [device.folder for device in two]
    device_client.apply(folders[0], made.update(tmp_path / "1.zip", 1, families=(made.FAMILY,)))
    (folders[0] / "heads" / "1" / "head.tflite").write_bytes(b"x")
    (folders[0] / "state.json").write_text("{")
    found = check_update(tmp_path / "4.zip", packages["head"], folders, **HOW)
    assert [about["component"] for about in found] == ["phone@1", "server@1"]
    (folders[0] / "extractor.tflite").write_bytes(b"x")
    with pytest.raises(InputError, match="phone: extractor.tflite is not what device.json says"):
        check_update(tmp_path / "4.zip", packages["head"], folders, **HOW)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"number": 0}, "number is 0; expected a whole number from 1"),
        ({"number": 2**53 + 1}, "number is 9007199254740993"),
        ({"number": True}, "number is True"),
        ({"least_accuracy": float("nan")}, "least_accuracy is nan; expected a fraction"),
        ({"least_accuracy": 90.0}, "least_accuracy is 90.0"),
        ({"least_accuracy": -0.1}, "least_accuracy is -0.1"),
    ],
)
def test_numbers_are_checked_before_any_work(packages, two, tmp_path, no_work, change, message):
    with pytest.raises(InputError, match=message):
        make_update(tmp_path / "4.zip", packages["head"], two, **{**HOW, **change})
    assert not list(tmp_path.glob("*.zip"))


@pytest.mark.parametrize(
    ("place", "make", "overwrite", "message"),
    [
        ("4.zip", Path.touch, False, "4.zip exists; expected a free path, or pass overwrite"),
        ("4-server.zip", Path.touch, False, "4-server.zip exists; expected a free path"),
        ("4.zip", Path.mkdir, True, "4.zip is a folder; expected a free path, or a file"),
        ("4-phone.zip", Path.mkdir, True, "4-phone.zip is a folder"),
        ("4-phone.zip", lambda p: p.symlink_to("device.json"), True, "4-phone.zip is a link"),
        ("4-phone.zip", os.mkfifo, True, "4-phone.zip is a special file"),
    ],
)
def test_what_is_in_the_way_is_told_before_any_work(
    packages, two, tmp_path, no_work, place, make, overwrite, message
):
    make(tmp_path / place)
    with pytest.raises(InputError, match=message):
        make_update(tmp_path / "4.zip", packages["head"], two, **HOW, overwrite=overwrite)
    assert [path.name for path in tmp_path.glob("*.zip")] == [place]


def test_devices_whose_archives_would_have_one_name_are_refused(packages, two, tmp_path):
    other = shutil.copytree(two[1].folder, tmp_path / "more" / "phone")
    folders = [two[0].folder, other]
    with pytest.raises(InputError, match="4-phone.zip would be the archive of 2 devices"):
        check_update(tmp_path / "4.zip", packages["head"], folders, **HOW)


def test_archives_are_replaced_where_that_is_wanted(packages, two, tmp_path, monkeypatch):
    monkeypatch.setattr(making, "_heads", lambda *given: HEADS)
    for name in ("4.zip", "4-phone.zip"):
        (tmp_path / name).write_bytes(b"old")
    make_update(tmp_path / "4.zip", packages["head"], two, **HOW, overwrite=True)
    assert UPDATE in contents(tmp_path / "4.zip") and UPDATE in contents(tmp_path / "4-phone.zip")


def test_test_images_are_of_all_classes(packages, two, tmp_path, no_work):
    devices = [two[0], replace(two[1], test=shown((1, 1)))]
    with pytest.raises(InputError, match="server show no 'cat', 'frog'; expected images of all 3"):
        make_update(tmp_path / "4.zip", packages["head"], devices, **HOW)


def good_update(folder):
    """Returns what an update that devices take says, and its files."""
    files = contents(made.update(folder / "good.zip", 2))
    return json.loads(files.pop(UPDATE)), files


def test_the_same_content_gives_the_same_bytes(tmp_path):
    one, other = (made.update(tmp_path / name, 2).read_bytes() for name in ("a.zip", "b.zip"))
    assert one == other


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"created": "yesterday"},
        {"files": {}},
        {"class_names": ["a", "\u202e", "c"]},
    ],
)
def test_an_archive_that_devices_would_refuse_is_not_written(tmp_path, change):
    update, files = good_update(tmp_path)
    found = files if change else {name: content[:-1] for name, content in files.items()}
    good = Archive(tmp_path / "other.zip", update, files)
    bad = Archive(tmp_path / "bad.zip", update | change, found)
    for archives in ([good, bad], [bad, good]):
        with pytest.raises(InputError, match="bad.zip would be refused by every device"):
            write_archives(archives)
        assert [path.name for path in tmp_path.iterdir()] == ["good.zip"]


def with_component(path, package, **said):
    """Returns an archive to be written that has a component."""
    about, files = good_update(path.parent)
    files |= package.content()
    records = {name: vars(file_record(content)) for name, content in files.items()}
    return Archive(path, about | said | {"files": records}, files)


@pytest.mark.parametrize(
    ("kind", "said", "message"),
    [
        ("rotation", {"families": []}, "of kind auxiliary_head; expected a head of a classifier"),
        ("others", {"families": []}, "other class names than its update"),
        ("head", {"families": [made.FAMILY]}, "other families than its update"),
    ],
)
def test_a_component_that_is_not_the_updates_is_neither_written_nor_received(
    packages, tmp_path, kind, said, message
):
    store = Store(tmp_path / "store")
    bad = with_component(tmp_path / "bad.zip", packages[kind], **said)
    with pytest.raises(InputError, match=message):
        write_archives([bad])
    assert not bad.path.exists()
    # A stranger writes it all the same.
    members = {UPDATE: json.dumps(bad.update).encode(), **dict(sorted(bad.files.items()))}
    bad.path.write_bytes(packed(members))
    device_client.read_archive(bad.path)
    with pytest.raises(InputError, match=f"bad.zip: .*{message}"):
        receive(store, bad.path, Reference("head", "1"))
    assert not list(store.entries())


def test_a_component_is_received_as_it_was_sent(packages, tmp_path):
    good = with_component(tmp_path / "2.zip", packages["head"], families=[])
    write_archives([good])
    store = Store(tmp_path / "store")
    receive(store, good.path, Reference("head", "1"))
    assert store.manifest(Reference("head", "1")) == packages["head"].manifest


def test_an_update_without_a_component_gives_a_server_nothing(tmp_path):
    archive = made.update(tmp_path / "good.zip", 2)
    with pytest.raises(InputError, match="has no component"):
        receive(Store(tmp_path / "store"), archive, Reference("head", "1"))
