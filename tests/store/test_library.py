"""Publishing, finding, aliases and removing, in a folder and through fsspec."""

import subprocess
import sys
import uuid

import pytest

from keras_compat.errors import InputError
from keras_compat.store import Package, Reference, Store
from keras_compat.store.errors import (
    AlreadyPublishedError,
    BadNameError,
    DamagedError,
    InUseError,
    NotPublishedError,
)
from keras_compat.store.places import CLAIM
from tests.store import made

pytestmark = pytest.mark.once


@pytest.fixture(params=["folder", "file", "memory"])
def store(request, tmp_path):
    urls = {"folder": tmp_path, "file": f"file://{tmp_path}", "memory": f"memory://{uuid.uuid4()}"}
    return Store(urls[request.param])


def at(text):
    return Reference.parse(text)


def test_a_version_is_found_by_its_name_and_by_latest(store):
    for version in ("1", "1.10", "1.9"):
        store.publish(at(f"head@{version}"), made.head_package())
    assert store.names() == ["head"]
    assert store.versions("head") == ["1", "1.9", "1.10"]
    assert store.resolve(at("head")) == at("head@1.10")
    assert store.package(at("head@1")) == made.head_package()
    assert [entry.aliases for entry in store.entries()] == [(), (), ("latest",)]
    assert store.verify() == []


def test_a_version_does_not_change(store):
    store.publish(at("head@1"), made.head_package(0))
    with pytest.raises(AlreadyPublishedError, match="next version"):
        store.publish(at("head@1"), made.head_package(1))
    assert store.package(at("head@1")) == made.head_package(0)
    assert store.verify() == []


def test_an_alias_moves_and_holds_its_version(store):
    for version in ("1", "2"):
        store.publish(at(f"head@{version}"), made.head_package())
    store.set_alias("head", "production", "2")
    store.set_alias("head", "production", "1")
    assert store.resolve(at("head@production")) == at("head@1")
    assert store.aliases("head") == {"production": "1"}
    with pytest.raises(InUseError, match="head@production"):
        store.remove(at("head@1"))
    store.set_alias("head", "production", "2")
    store.remove(at("head@1"))
    assert store.versions("head") == ["2"]
    assert store.verify() == []


def test_what_is_not_there_is_said_with_what_is(store):
    with pytest.raises(NotPublishedError, match="the store is empty"):
        store.manifest(at("head@1"))
    store.publish(at("head@1"), made.head_package())
    with pytest.raises(NotPublishedError, match="versions of head: 1"):
        store.manifest(at("head@2"))
    with pytest.raises(NotPublishedError, match="components: head"):
        store.package(at("haed"))
    with pytest.raises(NotPublishedError):
        store.resolve(at("head@production"))
    with pytest.raises(NotPublishedError):
        store.set_alias("head", "production", "2")
    with pytest.raises(NotPublishedError):
        store.remove(at("head@2"))
    store.remove(at("head@1"))
    assert store.names() == [] and store.entries() == []


@pytest.mark.parametrize("alias", ["latest", "1", "Production", ""])
def test_an_alias_that_is_none(store, alias):
    store.publish(at("head@1"), made.head_package())
    with pytest.raises(BadNameError):
        store.set_alias("head", alias, "1")


def test_what_changes_a_version_needs_a_version(store):
    with pytest.raises(BadNameError, match="expected a version"):
        store.publish(at("head"), made.head_package())
    with pytest.raises(BadNameError):
        store.remove(at("head"))


def test_files_that_do_not_fit_the_manifest_are_not_published(store):
    package = made.head_package()
    with pytest.raises(DamagedError):
        store.publish(at("head@1"), Package(package.manifest, {**package.files, "README.md": b""}))
    assert store.names() == []


def test_a_publisher_that_died_at_a_url_is_found_and_cleaned():
    url = f"memory://{uuid.uuid4()}"
    store = Store(url)
    store._place.put(f"head/1/{CLAIM}", b"")
    store._place.put("head/1/weights.safetensors", b"half")
    assert store.names() == []
    assert [fault.path for fault in store.verify()][0] == f"head/1/{CLAIM}"
    with pytest.raises(AlreadyPublishedError, match="died"):
        store.publish(at("head@1"), made.head_package())
    assert store.clean() == [f"head/1/{CLAIM}"]
    store.publish(at("head@1"), made.head_package())
    assert store.verify() == []


def test_a_publisher_that_died_after_the_manifest_has_published():
    store = Store(f"memory://{uuid.uuid4()}")
    store.publish(at("head@1"), made.head_package())
    store._place.put(f"head/1/{CLAIM}", b"")
    store.clean()
    assert store.package(at("head@1")) == made.head_package()


def test_what_does_not_belong_is_found(tmp_path):
    store = Store(tmp_path)
    store.publish(at("head@1"), made.head_package())
    (tmp_path / "Not A Name").mkdir()
    (tmp_path / "head" / "one").mkdir()
    assert [fault.path for fault in store.verify()] == ["Not A Name", "head/one"]
    assert store.names() == ["head"]


def test_a_url_that_fsspec_does_not_know():
    with pytest.raises(InputError, match="cannot be opened"):
        Store("nowhere://parts")


def test_listing_needs_no_keras(tmp_path):
    Store(tmp_path).publish(at("head@1"), made.head_package())
    code = (
        "import sys; from keras_compat.store import Store; "
        f"print(len(Store({str(tmp_path)!r}).entries()), 'keras' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "False"]
