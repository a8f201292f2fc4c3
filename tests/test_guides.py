"""The guide to ship a new class: every command exists, and the slow test runs them all."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from apps import classifier_transfer, components
from tests.helpers import python

pytestmark = pytest.mark.once
ROOT = Path(__file__).parents[1]
SHIPPING = ROOT / "docs" / "ship_a_new_class.md"
PARSERS = {
    "apps.classifier_transfer": classifier_transfer.run.make_parser,
    "apps.components": components.make_parser,
}


def commands(guide):
    """All commands of a guide, in order."""
    blocks = re.findall(r"```bash\n(.+?)```", guide.read_text(encoding="utf-8"), re.DOTALL)
    return [line for block in blocks for line in block.replace("\\\n", " ").splitlines() if line]


def app_commands():
    words = map(shlex.split, commands(SHIPPING))
    return [w[2:] for w in words if w[:2] == ["python", "-m"]]


@pytest.mark.parametrize("words", app_commands(), ids=" ".join)
def test_every_flag_of_a_guide_is_known(words):
    app, *arguments = words
    assert PARSERS[app]().parse_args(arguments)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
def test_a_new_class_is_shipped_as_the_guide_says(tmp_path):
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    said = {}
    for command in commands(SHIPPING):
        done = subprocess.run(
            ["bash", "-euc", command], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        said[command] = done.stdout
    found = {command.split()[3]: text for command, text in said.items() if "apps.comp" in command}
    assert "10 classes" in found["retrain"]
    assert "as far as can be told without labels, it works\n" in found["check"]
    assert float(re.search(r"([\d.]+)%", found["evaluate"]).group(1)) > 95
    # What the client says of an image of the test set is what it is, on both devices.
    from keras_compat import data

    test = data.load("digits", image_size=16).test
    np.save(tmp_path / "images.npy", test.images[:100])
    for device in ("phone", "desktop"):
        words = ["device_client.py", "classify", device, "images.npy"]
        done = python(*words, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        answers = [line.split()[0] for line in done.stdout.splitlines()]
        assert np.mean(np.array(answers, int) == test.labels[:100]) > 0.85, device
