"""What the repository promises about itself: packaging, versions and the README's commands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]


def pins(name):
    lines = (ROOT / name).read_text().splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


@pytest.fixture(scope="module")
def metadata(tmp_path_factory):
    """What setup.py says, without building: its requirements by extra."""
    build = ["egg_info", "--egg-base", str(tmp_path_factory.mktemp("egg"))]
    done = subprocess.run(
        [sys.executable, "setup.py", "-q", *build], cwd=ROOT, capture_output=True, text=True
    )
    if "No module named 'setuptools'" in done.stderr:
        pytest.skip("needs setuptools")
    assert done.returncode == 0, done.stderr
    return Path(build[-1], "keras_compat.egg-info")


def requirements(folder):
    lines = (folder / "requires.txt").read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("[")]


def test_every_range_holds_the_version_that_is_pinned(metadata):
    pinned = {
        canonicalize_name(name): version
        for file in ("requirements.txt", "requirements-test.txt")
        for name, version in pins(file).items()
    }
    for requirement in requirements(metadata):
        version = pinned[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{requirement} excludes {version}"


def test_all_packages_are_shipped(metadata):
    sources = (metadata / "SOURCES.txt").read_text().split()
    modules = {p.relative_to(ROOT).as_posix() for p in (ROOT / "keras_compat").rglob("*.py")}
    modules |= {p.relative_to(ROOT).as_posix() for p in (ROOT / "apps").rglob("*.py")}
    assert modules <= set(sources)
    assert "keras_compat/py.typed" in sources


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
    done = subprocess.run(
        [sys.executable, "-c", example],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
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
