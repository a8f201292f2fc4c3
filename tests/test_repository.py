"""The repository's own promises: packaging, versions and the README's commands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.helpers import python

ROOT = Path(__file__).parents[1]


def pins(name):
    lines = (ROOT / name).read_text().splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_every_range_holds_the_version_that_is_pinned():
    pinned = {
        canonicalize_name(name): version
        for file in ("requirements.txt", "requirements-test.txt")
        for name, version in pins(file).items()
    }
    found = project()["project"]
    lines = [*found["dependencies"], *chain(*found["optional-dependencies"].values())]
    for requirement in map(Requirement, lines):
        if requirement.name != "keras_compat":
            version = pinned[canonicalize_name(requirement.name)]
            assert requirement.specifier.contains(version), f"{requirement} excludes {version}"


def test_all_packages_are_shipped():
    """A folder without `__init__.py` would be left out of a wheel without a word."""
    setuptools = pytest.importorskip("setuptools")  # Python 3.12 makes environments without it
    found = setuptools.find_packages(ROOT, **project()["tool"]["setuptools"]["packages"]["find"])
    for top in ("keras_compat", "apps"):
        for module in (ROOT / top).rglob("*.py"):
            assert module.parent.relative_to(ROOT).as_posix().replace("/", ".") in found, module
    assert (ROOT / "keras_compat/py.typed").exists()


def readme_commands():
    return re.findall(r"```bash\n(.+?)\n```", (ROOT / "README.md").read_text(), re.DOTALL)[:2]


def test_ci_runs_the_readmes_second_command():
    assert (ROOT / ".ci/run").read_text().splitlines()[-1] == readme_commands()[1]


def test_the_readmes_first_command_runs_the_main_job():
    command = readme_commands()[0]
    assert "-r requirements.txt" in command
    assert command.endswith("-m apps.classifier_transfer")


@pytest.mark.slow
@pytest.mark.skipif(
    os.environ["KERAS_BACKEND"] != "tensorflow", reason="a newcomer's backend; JAX is slow on CPUs"
)
def test_the_readmes_example_runs_as_it_is_and_does_what_it_says(tmp_path):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.+?)```", readme, re.DOTALL)
    done = python("-c", example, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    accuracy = float(re.search(r"On the phone: ([\d.]+)%", done.stdout).group(1))
    assert accuracy > 75


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize("failing", ["ruff", "tensorflow", "jax", "none"])
def test_the_test_command_fails_when_any_part_fails(tmp_path, failing):
    """Runs run_tests.sh with stand-ins for pip, ruff and pytest, one of which fails."""
    shutil.copy(ROOT / "run_tests.sh", tmp_path)
    programs = {
        "python": '[[ "$*" == *pytest* && "$KERAS_BACKEND" == "$FAILING" ]] && exit 1; echo "$@"',
        "ruff": '[[ "$FAILING" == ruff ]] && exit 1; echo ruff',
    }
    for name, body in programs.items():
        (tmp_path / name).write_text(f"#!/usr/bin/env bash\n{body}\n")
        (tmp_path / name).chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "VIRTUAL_ENV": str(tmp_path),
        "FAILING": failing,
    }
    done = subprocess.run(
        ["bash", "run_tests.sh", "-x"], cwd=tmp_path, env=environment, capture_output=True
    )
    assert (done.returncode == 0) is (failing == "none")
    if failing == "none":
        on_tensorflow, _, on_jax = done.stdout.decode().splitlines()[-3:]
        assert on_tensorflow.endswith("--dist=loadfile -m not slow -x")
        left_out = re.findall(r"--ignore=(\S+)", on_jax)
        assert on_jax.endswith("-m not slow and not once -x") and left_out
        assert all((ROOT / path).exists() for path in left_out)
