"""A path holds the old content or the new, never half of it."""

import os
import stat
from unittest.mock import Mock

import pytest

from keras_compat.errors import InputError
from keras_compat.experiments.runner.run_folder import RunFolder
from keras_compat.files import (
    check_free,
    folder_made,
    open_file,
    read_json,
    remove,
    replace,
    write_text,
    written_atomically,
)
from keras_compat.store.errors import UnreachableError
from keras_compat.store.storage import LocalStorage


def write_folder(path, text):
    path.mkdir()
    (path / "a").write_text(text)


def test_nothing_is_at_the_path_before_the_end(tmp_path):
    target = tmp_path / "deep" / "file"
    with written_atomically(target) as temporary:
        temporary.write_text("x")
        assert not target.exists()
    assert [p.name for p in target.parent.iterdir()] == ["file"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_failure_keeps_the_old_content(tmp_path, kind):
    target = tmp_path / "target"
    if kind == "folder":
        write_folder(target, "old")
    else:
        target.write_text("old")
    with pytest.raises(KeyboardInterrupt), written_atomically(target) as temporary:
        write_folder(temporary, "half")
        raise KeyboardInterrupt
    with pytest.raises(FileNotFoundError), written_atomically(target):
        pass
    kept = target / "a" if kind == "folder" else target
    assert kept.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["target"]


def test_a_folder_replaces_a_folder(tmp_path):
    target = tmp_path / "target"
    write_folder(target, "old")
    (target / "gone").write_text("")
    with written_atomically(target) as temporary:
        write_folder(temporary, "new")
    assert (target / "a").read_text() == "new"
    assert not (target / "gone").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["target"]


def test_an_existing_path_is_replaced_only_if_asked(tmp_path):
    with pytest.raises(InputError, match="overwrite=True"):
        check_free(tmp_path, overwrite=False)
    check_free(tmp_path, overwrite=True)
    check_free(tmp_path / "new", overwrite=False)


def test_a_replacement_that_fails_leaves_the_old_one_and_no_temporary_file(tmp_path, monkeypatch):
    def full(*_):
        raise OSError("no space left")

    write_folder(tmp_path / "folder", "old")
    (tmp_path / "report.md").write_text("old")
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="no space"):
        write_text(tmp_path / "report.md", "text")
    with (
        pytest.raises(OSError, match="no space"),
        written_atomically(tmp_path / "folder") as temporary,
    ):
        write_folder(temporary, "new")
    assert (tmp_path / "report.md").read_text() == "old"
    assert (tmp_path / "folder" / "a").read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["folder", "report.md"]


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_others_may_read_what_the_umask_allows(tmp_path):
    before = os.umask(0o022)
    try:
        write_text(tmp_path / "report.md", "text")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "report.md").stat().st_mode) == 0o644


def test_the_longest_name_can_be_written(tmp_path):
    name = "n" * 255
    write_text(tmp_path / name, "text")
    assert os.listdir(tmp_path) == [name]


def test_what_is_replaced_and_cannot_be_removed_is_told(tmp_path, monkeypatch):
    write_folder(tmp_path / "old", "old")
    write_folder(tmp_path / "new", "new")

    def denied(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("shutil.rmtree", denied)
    with pytest.warns(UserWarning, match="was replaced and cannot be removed"):
        replace(tmp_path / "new", tmp_path / "old")
    assert (tmp_path / "old" / "a").read_text() == "new"


def test_of_a_link_only_the_link_is_removed(tmp_path):
    write_folder(tmp_path / "folder", "kept")
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    remove(tmp_path / "link")
    assert os.listdir(tmp_path) == ["folder"]
    assert (tmp_path / "folder" / "a").read_text() == "kept"


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to(os.devnull)])
def test_what_is_no_plain_file_is_refused_at_once(tmp_path, make):
    path = tmp_path / "a"
    make(path)
    with pytest.raises(InputError, match="no plain file"), open_file(path):
        pass
    with pytest.raises(InputError, match="no plain file"):
        read_json(path, "a list")


def test_a_path_with_a_zero_byte_is_one_line():
    with pytest.raises(InputError, match="no path of a file"):
        read_json("a\0b", "a list")


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff", b"[" * 100_000, b"9" * 5000, b"\xef\xbb\xbf[]", b"[" + b"1," * 100 + b"]"],
    ids=["empty", "cut", "not UTF-8", "deep", "long number", "byte-order mark", "larger"],
)
def test_a_file_that_is_no_json_is_one_line(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(InputError, match="a.json .*expected a list") as caught:
        read_json(tmp_path / "a.json", "a list", largest=150_000)
    assert "\n" not in str(caught.value)


def test_a_file_larger_than_it_may_be_is_not_read(tmp_path):
    (tmp_path / "a.json").write_bytes(b"[" + b" " * 100 + b"]")
    with pytest.raises(InputError, match="has 102 bytes, 100 at most"):
        read_json(tmp_path / "a.json", "a list", largest=100)
    assert read_json(tmp_path / "a.json", "a list") == []


@pytest.mark.parametrize("link", [False, True])
def test_no_folder_is_replaced_by_a_file(tmp_path, link):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "kept").touch()
    path = tmp_path / "link" if link else folder
    if link:
        path.symlink_to(folder)
    with pytest.raises(IsADirectoryError):
        write_text(path, "text")
    assert (path / "kept").exists() and len(list(tmp_path.iterdir())) == 1 + link


class Full(OSError):
    """Stands for the error of a full disk."""


def write_then_fail(path):
    with written_atomically(path) as temporary:
        temporary.write_text("half")
        raise Full


def publish_then_fail(path):
    def fail():
        raise UnreachableError("full")

    LocalStorage(path).publish("head/1", {"manifest.json": b"{}"}, fail)


def run_then_fail(path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("keras_compat.experiments.runner.run_folder.RunLock", Mock(side_effect=Full))
        RunFolder(path, {})


@pytest.mark.once
@pytest.mark.parametrize("act", [write_then_fail, publish_then_fail, run_then_fail])
@pytest.mark.parametrize("others", [(), ("new",), ("new/deep", "new/others")])
def test_a_failure_leaves_no_folder_that_was_made_for_it(tmp_path, act, others):
    for folder in others:
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises((Full, UnreachableError, InputError)):
        act(tmp_path / "new" / "deep" / "deeper" / "place")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.once
def test_a_folder_into_which_others_wrote_meanwhile_stays(tmp_path):
    with pytest.raises(Full), folder_made(tmp_path / "a" / "b"):
        (tmp_path / "a" / "theirs").touch()
        raise Full
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "theirs"]
