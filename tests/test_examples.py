"""The examples, run as a newcomer runs them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from PIL import Image

from tests.helpers import python

ROOT = Path(__file__).parents[1]
# What each prints at its end, and the least that the numbers in it must be.
EXPECTED = {
    "first_recombination": (r"IIW\+DCC\+RP, .* head of digits: [\d.]+%, mnist5k: ([\d.]+)%", 50),
    "own_folder": (r"The phone's files, in a process of their own: ([\d.]+)%", 90),
    "library_of_parts": (r"phone: 0\.\d+ without labels; ([\d.]+)% of the test images", 90),
}


def test_every_example_is_run():
    assert set(EXPECTED) == {path.stem for path in (ROOT / "examples").glob("*.py")}


@pytest.mark.slow
@pytest.mark.skipif(
    os.environ.get("KERAS_BACKEND") == "jax", reason="a newcomer's backend; JAX is slow on CPUs"
)
@pytest.mark.parametrize("name", EXPECTED)
def test_an_example_runs_from_top_to_bottom(tmp_path, name):
    done = python("-m", f"examples.{name}", tmp_path)
    assert done.returncode == 0, done.stderr
    pattern, least = EXPECTED[name]
    assert float(re.search(pattern, done.stdout).group(1)) > least
    with Image.open(tmp_path / f"{name}.png") as picture:
        assert picture.width > 500
