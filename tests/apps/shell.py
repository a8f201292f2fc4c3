"""The apps as a shell starts them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from keras_compat.experiments import command_line

ROOT = Path(__file__).parents[2]


def app(
    name: str, *arguments: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs an app to its end, and returns what it said."""
    return subprocess.run(
        [sys.executable, "-m", f"apps.{name}", *arguments],
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=300,
    )


def exit_code(
    run: Callable[[list[str]], None], flags: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> int:
    """Runs an app that does not come to its end, in this process; returns its exit code."""
    monkeypatch.setattr(sys, "argv", ["app", *flags])
    with pytest.raises(SystemExit) as ended:
        command_line.main(run)
    return ended.value.code


def says_one_line_and_exits_with_two(done: subprocess.CompletedProcess[str], start: str) -> bool:
    """Whether an app ended as bad input makes it end."""
    told = done.stderr.startswith(f"error: {start}") and done.stderr.count("\n") == 1
    return (done.returncode, done.stdout, told) == (2, "", True)
