"""Python processes of their own, for work that leaks or must not see this package."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from keras_compat.errors import InputError

_PACKAGE_ROOT = Path(__file__).parents[2]


def run_python(
    arguments: list[str], request: dict[str, Any], *, with_package: bool
) -> dict[str, Any]:
    """Runs Python on a JSON request and returns its JSON reply.

    The process finds the path of the request and of the reply as its last two arguments. It works
    on the CPU: a GPU may be full of the model that is being trained, and files don't depend on it.

    Args:
        arguments: what comes after `python`.
        request: what the process shall do; anything that JSON holds.
        with_package: whether `keras_compat` shall be importable from where this one lies.

    Returns:
        The reply.

    Raises:
        InputError: if the reply is `{"input_error": message}`.
        RuntimeError: if the process fails; the message ends with what it printed last.

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
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, errors="replace", check=False
        )
        if done.returncode != 0 or not reply_file.exists():
            last = "\n".join(done.stderr.splitlines()[-20:])
            raise RuntimeError(f"a process failed with exit code {done.returncode}:\n{last}")
        reply = json.loads(reply_file.read_text())
    if "input_error" in reply:
        raise InputError(reply["input_error"])
    return reply
