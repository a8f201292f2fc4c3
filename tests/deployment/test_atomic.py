"""A path holds the old content or the new, never half of it."""

from __future__ import annotations

import pytest

from keras_compat.deployment.atomic import check_free, written_atomically
from keras_compat.errors import InputError


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
