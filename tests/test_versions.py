import platform
import shutil
import subprocess

import keras
import numpy as np
import pytest

from keras_compat import versions
from keras_compat.versions import collect_versions


def test_versions_are_those_that_run():
    found = collect_versions()
    assert found["python"] == platform.python_version()
    assert found["keras"] == keras.__version__
    assert found["numpy"] == np.__version__
    assert found["backend"] == keras.config.backend()


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_a_checkout_gives_its_commit_and_whether_it_was_modified(tmp_path):
    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        command = ["git", *identity, *arguments]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)

    git("init", "-q")
    (tmp_path / "file").write_text("one")
    git("add", "file")
    git("commit", "-qm", "one")
    commit = git("rev-parse", "HEAD").stdout.strip()
    assert versions._checkout(tmp_path) == {"commit": commit, "modified": False}
    (tmp_path / "file").write_text("two")
    assert versions._checkout(tmp_path) == {"commit": commit, "modified": True}
    # A folder inside a repository of someone else's is no checkout of ours.
    (tmp_path / "site-packages").mkdir()
    assert versions._checkout(tmp_path / "site-packages") == {}


def test_a_broken_checkout_does_not_stop_a_run(tmp_path):
    (tmp_path / ".git").mkdir()
    assert versions._checkout(tmp_path) == {}
