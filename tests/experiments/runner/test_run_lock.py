"""One live run at a time; what a dead one left is no obstacle."""

from __future__ import annotations

import errno
import gc
import os

import pytest

from keras_compat.errors import InputError
from keras_compat.experiments.runner.run_lock import RunLock

fcntl = pytest.importorskip("fcntl")


def test_a_lock_is_held_by_one_and_then_by_the_next(tmp_path):
    first = RunLock(tmp_path / "lock")
    with pytest.raises(InputError, match=f"by process {os.getpid()}; wait for it"):
        RunLock(tmp_path / "lock")
    first.release()
    second = RunLock(tmp_path / "lock")
    assert (tmp_path / "lock").read_text() == str(os.getpid())
    del second
    gc.collect()
    RunLock(tmp_path / "lock").release()


def test_the_number_of_a_dead_process_is_no_obstacle(tmp_path):
    (tmp_path / "lock").write_text("1" * 20)
    lock = RunLock(tmp_path / "lock")
    assert (tmp_path / "lock").read_text() == str(os.getpid())
    lock.release()


def test_a_file_that_was_moved_away_meanwhile_guards_nothing(tmp_path, monkeypatch):
    flock = fcntl.flock

    def other_run_finishes(handle, operation):
        flock(handle, operation)
        os.rename(tmp_path / "lock", tmp_path / "elsewhere")

    monkeypatch.setattr(fcntl, "flock", other_run_finishes)
    with pytest.raises(InputError, match="a run that ended just now"):
        RunLock(tmp_path / "lock")


def test_a_file_system_without_locks_is_used_without(tmp_path, monkeypatch):
    def unsupported(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    RunLock(tmp_path / "lock").release()
    assert (tmp_path / "lock").exists()


def test_no_file_is_kept_open_where_there_are_no_such_locks(tmp_path, monkeypatch):
    monkeypatch.setattr("keras_compat.experiments.runner.run_lock.fcntl", None)
    assert not RunLock(tmp_path / "lock").release.alive
