"""Checkpoints on disk: whole or not there, verified, the one before where one is damaged."""

import errno

import numpy as np
import pytest

from keras_compat import files
from keras_compat.training.checkpoints import Checkpoint, Checkpoints

pytestmark = pytest.mark.once


def made(rounds):
    arrays = {
        "kernel": np.full((2, 3), rounds, "float32"),
        "rounds": np.array(rounds),
        "transposed": np.arange(6.0).reshape(2, 3).T,
        "empty": np.zeros((0, 2), "uint32"),
    }
    return Checkpoint(arrays, {"rounds": rounds, "measured": [1, 2], "loss": 0.1 + 0.2})


@pytest.fixture
def checkpoints(tmp_path):
    found = Checkpoints(tmp_path / "checkpoints")
    for rounds in (10, 20, 30):
        found.save(made(rounds))
    return found


def files_of(checkpoints):
    return sorted(checkpoints.folder.iterdir())


def test_the_last_two_are_kept_and_the_last_is_read(checkpoints):
    assert [path.name[:6] for path in files_of(checkpoints)] == ["000001", "000002"]
    latest = checkpoints.latest()
    assert latest.state == made(30).state
    for name, array in made(30).arrays.items():
        assert latest.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(latest.arrays[name], array)


def flip(path):
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def empty(path):
    path.write_bytes(b"")


def be_of_something_else(path):
    content = b"something else"
    path.unlink()
    import hashlib

    digest = hashlib.sha256(content).hexdigest()
    path.with_name(f"{path.name[:6]}-{digest}.safetensors").write_bytes(content)


@pytest.mark.parametrize("damage", [flip, cut, empty, be_of_something_else])
def test_a_damaged_one_is_passed_over_with_a_warning(checkpoints, damage):
    damage(files_of(checkpoints)[-1])
    with pytest.warns(UserWarning, match="000002-.* is passed over"):
        assert checkpoints.latest().state["rounds"] == 20
    # It is not in the way of the next.
    checkpoints.save(made(40))
    assert checkpoints.latest().state["rounds"] == 40


def test_where_all_are_damaged_there_is_none(checkpoints):
    for path in files_of(checkpoints):
        flip(path)
    with pytest.warns(UserWarning, match="passed over") as told:
        assert checkpoints.latest() is None
    assert len(told) == 2


def test_without_a_folder_there_is_none(tmp_path):
    checkpoints = Checkpoints(tmp_path / "none")
    assert checkpoints.latest() is None
    checkpoints.clear()


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_what_a_full_disk_refuses_leaves_those_before(checkpoints, monkeypatch, step):
    before = files_of(checkpoints)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(files.os, step, full)
        with pytest.raises(OSError, match="No space left"):
            checkpoints.save(made(40))
    assert files_of(checkpoints) == before
    assert checkpoints.latest().state["rounds"] == 30
    checkpoints.save(made(40))
    assert checkpoints.latest().state["rounds"] == 40


def test_what_a_killed_process_had_begun_to_write_is_removed(checkpoints):
    (checkpoints.folder / ".000003-0.partial").write_bytes(b"half")
    assert checkpoints.latest().state["rounds"] == 30
    checkpoints.save(made(40))
    assert [path.name[:6] for path in files_of(checkpoints)] == ["000002", "000003"]
