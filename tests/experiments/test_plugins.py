"""Plugins: the example package is installed, adds to every list, and is noted by the runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from keras_compat.errors import InputError
from keras_compat.experiments.command_line import load_named_plugins

pytestmark = pytest.mark.once
ROOT = Path(__file__).parents[2]
PLUGIN = "keras_compat_example"
SMALL = (
    "--auxiliaries=upside_down",
    "--extractors=phone=plain_cnn:filters=4",
    "--head=plain_cnn:filters=4@block2",
    "--reference=phone",
    "--maintain=extractor",
    "--upper_bounds=none",
    "--no-export",
    "--joint_rounds=1",
    "--update_rounds=1",
    "--output_dir=run",
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Returns a folder with the installed example package."""
    pytest.importorskip("setuptools")
    folder = tmp_path_factory.mktemp("plugin")
    # A build leaves files beside the sources.
    source = shutil.copytree(ROOT / "examples" / "plugin", folder / "source")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", folder / "site", source], check=True)
    return folder / "site"


def command(folder, *words, path=()):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [ROOT, *path]))}
    return subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, env=environment, capture_output=True, text=True
    )


def test_an_installed_plugin_is_in_the_lists(installed, tmp_path):
    found = command(tmp_path, "apps.components", "architectures", path=[installed])
    assert found.returncode == 0, found.stderr
    assert "plain_cnn" in found.stdout and "block2" in found.stdout
    found = command(tmp_path, "apps.domain_adaptation", "--help", path=[installed])
    assert "upside_down" in found.stdout


def test_a_run_notes_its_plugin_and_names_it_where_it_is_missing(installed, tmp_path):
    app = ("apps.classifier_transfer", *SMALL)
    done = command(tmp_path, *app, path=[installed])
    assert done.returncode == 0, done.stderr
    run = tmp_path / "run"
    assert json.loads((run / "metrics.json").read_text())["versions"][f"plugin {PLUGIN}"] == "1.0"
    reported = command(
        tmp_path, "keras_compat.reporting", "run/metrics.json", "--output_dir=report"
    )
    assert reported.returncode == 0, reported.stderr
    assert f"--plugins={PLUGIN}" in reported.stdout
    assert f"plugin {PLUGIN}: 1.0" in (tmp_path / "report" / "report.md").read_text()
    # As if it had been killed before its end.
    (run / "metrics.json").unlink()
    refused = command(tmp_path, *app)
    assert refused.returncode == 2
    assert f"--plugins={PLUGIN}" in refused.stderr and "Traceback" not in refused.stderr


def test_a_plugin_that_is_not_found_is_refused():
    with pytest.raises(InputError, match=r"plugin 'no\.such' cannot be imported"):
        load_named_plugins(["--plugins=no.such"])
    with pytest.raises(InputError, match="--plugins names no module"):
        load_named_plugins(["list", "--plugins="])
