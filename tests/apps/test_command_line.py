"""What happens before Keras is imported."""

import json
import os

import pytest

from keras_compat.errors import InputError
from keras_compat.experiments import command_line


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Sets what is installed and which backend the environment and keras.json name."""

    def make(installed, named=None, configured=None):
        monkeypatch.setattr(command_line, "_installed", lambda package: package in installed)
        monkeypatch.setenv("KERAS_HOME", str(tmp_path))
        if named is None:
            monkeypatch.delenv("KERAS_BACKEND", raising=False)
        else:
            monkeypatch.setenv("KERAS_BACKEND", named)
        if configured is not None:
            (tmp_path / "keras.json").write_text(json.dumps({"backend": configured}))

    return make


@pytest.mark.parametrize(
    ("installed", "named", "configured", "chosen"),
    [
        (("tensorflow", "jax"), None, None, None),
        (("tensorflow", "jax"), "jax", None, "jax"),
        (("tensorflow", "jax"), None, "jax", None),
        (("jax",), None, None, "jax"),
        (("jax",), None, "tensorflow", "jax"),  # as Keras itself writes it
        (("tensorflow",), None, "jax", "tensorflow"),
    ],
)
def test_an_installed_backend_is_used(machine, capsys, installed, named, configured, chosen):
    machine(installed, named, configured)
    command_line.choose_backend()
    assert os.environ.get("KERAS_BACKEND") == chosen
    changed = chosen != named
    assert capsys.readouterr().out.count("\n") == changed


@pytest.mark.parametrize(
    ("installed", "named", "configured", "message"),
    [
        (("jax",), "tensorflow", None, r"KERAS_BACKEND=tensorflow needs.*keras_compat\[tensorflow"),
        (("tensorflow",), "jax", None, r"KERAS_BACKEND=jax needs.*keras_compat\[jax\]"),
        ((), None, None, r"keras_compat\[tensorflow\]"),
        (("torch", "jax"), "torch", None, "unknown Keras backend 'torch'.*jax, tensorflow"),
        (("torch", "jax"), None, "torch", "unknown Keras backend 'torch'"),
    ],
)
def test_a_backend_that_cannot_be_used_is_said(machine, installed, named, configured, message):
    machine(installed, named, configured)
    with pytest.raises(InputError, match=message):
        command_line.choose_backend()


def test_a_damaged_keras_json_is_passed_over(machine, tmp_path):
    machine(("tensorflow",))
    (tmp_path / "keras.json").write_text("{")
    command_line.choose_backend()
    assert "KERAS_BACKEND" not in os.environ
