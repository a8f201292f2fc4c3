"""Publishing, finding, aliases and removing, in a folder and through fsspec."""

import errno
import os
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fsspec import AbstractFileSystem

from keras_compat.errors import InputError
from keras_compat.store import Package, Reference, Store
from keras_compat.store.errors import (
    AlreadyPublishedError,
    BadNameError,
    DamagedError,
    InUseError,
    NotPublishedError,
    StoreError,
    UnreachableError,
)
from keras_compat.store.storage import CLAIM
from tests.helpers import files_of_at_most, python
from tests.store import made

pytestmark = pytest.mark.once


@pytest.fixture(params=["folder", "file", "memory"])
def store(request, tmp_path):
    urls = {"folder": tmp_path, "file": f"file://{tmp_path}", "memory": f"memory://{uuid.uuid4()}"}
    return Store(urls[request.param])


@pytest.fixture
def remote():
    """A store at a URL, of which a test sees and changes the file system."""
    return Store(f"memory://{uuid.uuid4()}")


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


def test_an_alias_moves_and_holds_its_version_until_it_is_removed(store):
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
    store.remove_alias("head", "production")
    with pytest.raises(NotPublishedError):
        store.remove_alias("head", "production")
    store.remove(at("head@2"))
    assert store.names() == [] and store.verify() == []


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


def claimed(store, version, said, ago_s):
    """Leaves a claim that says a time, and that the file system has had for a while."""
    path = f"head/{version}/{CLAIM}"
    store._storage.put(path, said)
    system = store._storage._system
    system.store[store._storage._at(path)].modified = datetime.now(UTC) - timedelta(seconds=ago_s)
    return path


def test_a_publisher_that_died_at_a_url_is_found_and_cleaned(remote):
    claimed(remote, "1", b"", 4000)
    remote._storage.put("head/1/weights.safetensors", b"half")
    assert remote.names() == []
    assert [fault.path for fault in remote.verify()][0] == f"head/1/{CLAIM}"
    with pytest.raises(AlreadyPublishedError, match="died"):
        remote.publish(at("head@1"), made.head_package())
    remote._storage.put(f"head/2/{CLAIM}", f"other {time.time()}".encode())  # at work
    assert remote.clean() == [f"head/1/{CLAIM}"]
    remote.clean(older_than_s=0)
    remote.publish(at("head@1"), made.head_package())
    assert remote.verify() == []


def test_a_publisher_that_died_after_the_manifest_has_published(remote):
    remote.publish(at("head@1"), made.head_package())
    claimed(remote, "1", b"", 4000)
    assert remote.package(at("head@1")) == made.head_package()
    remote.clean()
    assert remote.package(at("head@1")) == made.head_package()
    assert remote.verify() == []


# A number is how many seconds ahead the time in the claim is.
UNCLEAR = [
    *(b"", b"x", b"x nan", b"x -inf", b"x 9e999", b"x 9e18", b"\xff\xfe\x00", b"x" * 10_000),
    *(4000, 86_400 * 365),
]


def at_a_time(said):
    return said if isinstance(said, bytes) else f"x {time.time() + said}".encode()


@pytest.mark.parametrize("said", UNCLEAR)
@pytest.mark.parametrize("ago_s", [0, 4000, -4000, -86_400 * 365])
def test_a_claim_that_says_no_time_is_as_old_as_its_file(remote, said, ago_s):
    path = claimed(remote, "1", at_a_time(said), ago_s)
    assert remote.clean() == ([path] if ago_s else [])
    assert [fault.path for fault in remote.verify()][:1] == ([] if ago_s else [path])
    remote.clean(older_than_s=0)
    remote.publish(at("head@1"), made.head_package())
    assert remote.verify() == []


@pytest.mark.parametrize("said", UNCLEAR)
def test_where_the_file_system_has_no_times_such_a_claim_is_old(remote, said, monkeypatch):
    path = claimed(remote, "1", at_a_time(said), 0)
    monkeypatch.setattr(type(remote._storage._system), "modified", AbstractFileSystem.modified)
    assert remote.clean() == [path]


@pytest.mark.parametrize(("said", "ago_s"), [(0, 4000), (-4000, 0), (5, 4000)])
def test_a_claim_stays_while_one_clock_calls_it_young(remote, said, ago_s):
    claimed(remote, "1", at_a_time(said), ago_s)
    assert remote.clean() == []


def test_a_claim_elsewhere_takes_nothing_with_it(remote):
    remote.publish(at("head@1"), made.head_package())
    for path in (CLAIM, f"head/{CLAIM}", f"head/1/more/{CLAIM}"):
        remote._storage.put(path, b"")
    assert remote.clean(older_than_s=0) == []
    assert remote.versions("head") == ["1"]


def test_in_a_folder_what_was_left_with_a_time_ahead_is_cleaned(tmp_path):
    store = Store(tmp_path)
    (tmp_path / "head" / "1").mkdir(parents=True)
    (tmp_path / "head" / "1" / CLAIM).write_bytes(b"x nan")  # copied from a URL
    (tmp_path / ".staging").mkdir()
    (tmp_path / ".staging" / "half").touch()
    left = [".staging/half", f"head/1/{CLAIM}"]
    assert [fault.path for fault in store.verify()][:2] == left
    assert store.clean() == []
    for path in left:
        os.utime(tmp_path / path, (time.time() + 86_400,) * 2)
    assert store.clean() == left
    store.publish(at("head@1"), made.head_package())
    assert store.verify() == []


def test_an_empty_folder_keeps_nobody_from_publishing(tmp_path):
    (tmp_path / "head" / "1").mkdir(parents=True)
    Store(tmp_path).publish(at("head@1"), made.head_package())
    assert Store(tmp_path).verify() == []


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
    assert python("-c", code).stdout.split() == ["1", "False"]


def test_at_a_url_who_comes_second_changes_nothing(monkeypatch):
    url = f"memory://{uuid.uuid4()}"
    first, second = Store(url), Store(url)
    system = second._storage._system
    asked = type(system).makedirs

    def meanwhile(self, *arguments, **keywords):
        monkeypatch.setattr(type(system), "makedirs", asked)
        first.publish(at("head@1"), made.head_package(0))
        return asked(self, *arguments, **keywords)

    monkeypatch.setattr(type(system), "makedirs", meanwhile)
    with pytest.raises(AlreadyPublishedError):
        second.publish(at("head@1"), made.head_package(1))
    assert first.package(at("head@1")) == made.head_package(0)
    assert first.verify() == []


def test_a_claim_that_was_removed_is_told_and_leaves_no_half(remote, monkeypatch):
    monkeypatch.setattr(remote._storage, "_claimed_by", lambda claim: b"")
    with pytest.raises(UnreachableError, match="someone removed what was being written"):
        remote.publish(at("head@1"), made.head_package())
    assert remote.names() == [] and remote.entries() == []


def test_one_bad_entry_keeps_nobody_from_the_others(store):
    store.publish(at("head@1"), made.head_package())
    store._storage.put("notes.txt", b"not a component")
    manifest = made.head_package().manifest.to_json()
    newer = manifest.replace(b'"schema_version": 1', b'"schema_version": 2')
    store._storage.put("newer/1/manifest.json", newer)
    faults = []
    assert [str(entry.reference) for entry in store.entries(faults.append)] == ["head@1"]
    assert "newer/1" in [fault.path for fault in faults]
    assert "head" in store.names()
    with pytest.raises(NotPublishedError, match="components: head"):
        store.manifest(at("haed@1"))
    assert {fault.path.partition("/")[0] for fault in store.verify()} >= {"newer"}


def test_what_the_file_system_refuses_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be used"):
        Store(tmp_path / "file" / "parts").publish(at("head@1"), made.head_package())
    for url in ("github://x", "~nosuchuser/parts", "reference://x"):
        with pytest.raises(InputError) as caught:
            Store(url).entries()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EACCES])
@pytest.mark.parametrize("call", ["mkdir", "fsync", "rename"])
def test_a_disk_that_takes_nothing_is_one_line_and_leaves_nothing(
    call, number, tmp_path, monkeypatch
):
    store = Store(tmp_path / "store")
    store.publish(at("head@1"), made.head_package())
    before = sorted(tmp_path.rglob("*"))

    def refuse(*given, **keywords):
        raise OSError(number, os.strerror(number), given[0])

    monkeypatch.setattr(os, call, refuse)
    for write in (
        lambda: store.publish(at("head@2"), made.head_package()),
        lambda: store.publish(at("other@1"), made.head_package()),
    ):
        with pytest.raises(UnreachableError, match="cannot be used") as caught:
            write()
        assert "\n" not in str(caught.value)
    monkeypatch.undo()
    assert [path for path in sorted(tmp_path.rglob("*")) if path.name != "other"] == before
    assert store.verify() == []


def test_a_file_that_may_not_grow_leaves_nothing(tmp_path):
    store = Store(tmp_path)
    with files_of_at_most(1000), pytest.raises(UnreachableError, match="File too large"):
        store.publish(at("head@1"), made.head_package())
    assert store.names() == [] and store.verify() == []
    store.publish(at("head@1"), made.head_package())


@pytest.mark.parametrize("file", ["weights.safetensors", "README.md", "manifest.json"])
def test_at_a_url_what_cannot_be_written_is_taken_back(remote, file, monkeypatch):
    system = remote._storage._system
    pipe = type(system).pipe_file

    def full(self, path, value, **keywords):
        if path.endswith(file):
            raise OSError(errno.ENOSPC, "No space left on device")
        return pipe(self, path, value, **keywords)

    monkeypatch.setattr(type(system), "pipe_file", full)
    with pytest.raises(UnreachableError, match="No space left"):
        remote.publish(at("head@1"), made.head_package())
    monkeypatch.undo()
    assert remote.verify() == []
    remote.publish(at("head@1"), made.head_package())


@pytest.mark.parametrize("make", [Path.touch, os.mkfifo, lambda path: path.symlink_to(path)])
def test_a_store_that_is_no_folder_is_one_line(make, tmp_path):
    path = tmp_path / "store"
    make(path)
    store = Store(path)
    for work in (
        store.verify,
        store.entries,
        store.clean,
        lambda: store.manifest(at("head")),
        lambda: store.remove(at("head@1")),
        lambda: store.set_alias("head", "a", "1"),
        lambda: store.check_free(at("head@1")),
        lambda: store.publish(at("head@1"), made.head_package()),
    ):
        with pytest.raises(StoreError) as caught:
            work()
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)
