"""Separate Python processes, for work that leaks memory or must not see this package."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from keras_compat.errors import InputError

_PACKAGE_ROOT = Path(__file__).parents[2]
_LONGEST = 300
"""Maximum number of characters quoted from a process's output."""


def save_array(path: str | os.PathLike[str], array: np.ndarray) -> None:
    """Writes an array with `np.save`, and raises an error on a full disk, which `np.save` ignores.

    Raises:
        OSError: If the file is incomplete.
    """
    np.save(path, array)
    if os.path.getsize(path) < array.nbytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), os.fspath(path))


def run_python(
    arguments: list[str], request: dict[str, Any], *, with_package: bool
) -> dict[str, Any]:
    """Runs Python on a JSON request and returns its JSON reply.

    The process gets the paths of the request and of the reply as its last two arguments. It uses
    the CPU: a GPU may be full of the model in training, and the files do not depend on it.

    Args:
        with_package: Whether the process can import this `keras_compat`.

    Raises:
        InputError: If the reply is `{"input_error": message}`, or the process cannot be started or
            dies before it replies. The message then quotes the last line of its output. It begins
            with `name` if the reply is `{"at_work_on": name}`.

    Example:

    >>> code = "import sys; open(sys.argv[2], 'w').write(open(sys.argv[1]).read())"
    >>> run_python(["-c", code], {"a": 1}, with_package=False)
    {'a': 1}
    """
    environment = {
        **os.environ,
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    if with_package:
        known = [str(_PACKAGE_ROOT), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, known))
    with tempfile.TemporaryDirectory() as folder:
        request_file, reply_file = Path(folder, "request.json"), Path(folder, "reply.json")
        request_file.write_text(json.dumps(request))
        command = [sys.executable, *arguments, str(request_file), str(reply_file)]
        try:
            done = subprocess.run(
                command,
                env=environment,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
            )
        except OSError as error:  # no memory for it, or too many processes
            raise InputError(f"no further process can be started: {error.strerror}") from None
        replied = reply_file.read_text() if reply_file.exists() else ""
        reply = json.loads(replied) if replied else None
    if done.returncode != 0 or reply is None or "at_work_on" in reply:
        name = (reply or {}).get("at_work_on", "the files")
        raise InputError(f"{name}: their process {_end(done.returncode, done.stderr)}")
    if "input_error" in reply:
        raise InputError(reply["input_error"])
    return reply


def _end(code: int, printed: str) -> str:
    """Returns words for the end of a process."""
    last = next((line.strip() for line in reversed(printed.splitlines()) if line.strip()), "")
    said = f"; it said last: {last[:_LONGEST]}" if last else ""
    if code >= 0:
        return f"ended with exit code {code}{said}"
    name = {s.value: s.name for s in signal.Signals}.get(-code, f"signal {-code}")
    if name == "SIGKILL":
        return "was killed by SIGKILL, as the system does where memory runs out"
    return f"was ended by {name}{said}"
