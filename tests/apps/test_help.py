"""`--help` answers at once: without Keras, NumPy or anything else that takes long to load."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

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
