"""`--help` answers at once: without Keras, NumPy or anything else that takes long to load."""

import json
import subprocess
import sys
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import pytest

from apps import components
from apps.components import names
from keras_compat.experiments.fields import descriptions
from keras_compat.experiments.flags import LISTED

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[2]
APPS = sorted(
    path.stem for path in (ROOT / "apps").iterdir() if path.stem not in ("__init__", "__pycache__")
)
# In a process that has loaded nothing else; runpy runs an app as `python -m` does.
ASK = """
import contextlib, io, json, runpy, sys
said = io.StringIO()
with contextlib.redirect_stdout(said):
    try:
        sys.argv = [sys.argv[1], "--help"]
        runpy.run_module("apps." + sys.argv[0], run_name="__main__")
    except SystemExit as end:
        code = end.code
loaded = {name.partition(".")[0] for name in sys.modules}
print(json.dumps({"code": code, "said": said.getvalue(), "loaded": sorted(loaded)}))
"""
SLOW = {"keras", "tensorflow", "jax", "numpy", "scipy", "sklearn", "matplotlib", "pydantic"}


@pytest.mark.parametrize("app", APPS)
def test_help_loads_nothing_slow(app):
    done = subprocess.run(
        [sys.executable, "-c", ASK, app], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    assert found["code"] == 0 and "usage:" in found["said"]
    assert "argparse" in found["loaded"]  # what is loaded is seen
    assert not SLOW & set(found["loaded"])


@pytest.mark.parametrize("app", [app for app in APPS if app != "components"])
def test_help_lists_choices_and_names_the_commands_that_list_the_others(app):
    said = help_of(app)
    for words in ("float32, mixed_bfloat16, mixed_float16", "Choices: steps, cosine", "demo, cpu"):
        assert words in said
    for kind in ("architectures", "sources"):
        assert f"python -m apps.components {kind}" in said


def help_of(app, *flags):
    run = import_module(f"apps.{app}").run
    return " ".join(run.make_parser(*flags).format_help().split())


def test_help_shows_the_values_of_the_preset():
    assert "[400 | 150 | 200]" in help_of("classifier_transfer")
    assert "[20000 | 5000 | 20000]" in help_of("classifier_transfer", "paper")


@pytest.mark.parametrize("app", [app for app in APPS if app != "components"])
def test_every_setting_has_a_description(app):
    settings = import_module(f"keras_compat.experiments.{app}.settings").Settings
    assert {field.name for field in fields(settings)} <= descriptions(settings).keys()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("architectures", ["resnet56", "stage2_block1-9", "mobilenet_v2_small"]),
        ("auxiliaries", ["rotation", "jigsaw"]),
        ("baselines", ["procrustes", "stitching"]),
        ("methods", ["independent", "identical initial weights", "jigsaw"]),
        ("sources", ["mnist5k", "folder:PATH", "TensorFlow Datasets"]),
        ("studies", ["splits", "calibration"]),
    ],
)
def test_components_lists_names(kind, words, capsys):
    assert LISTED.keys() <= names._KINDS.keys()  # help refers to no other command
    components.run([kind])
    said = capsys.readouterr().out
    assert all(word in said for word in words)
