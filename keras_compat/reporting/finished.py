"""Names of the files of a run folder, and the check that its run has finished."""

from __future__ import annotations

import os
from pathlib import Path

from keras_compat.errors import InputError

CONFIG = "config.json"
"""The first file of a run: its settings."""
FINISHED = "metrics.json"
"""The last file of a run: without it a run is unfinished."""
LOCK = ".keras_compat.lock"
"""The file that a run locks while it writes; an interrupted run leaves it."""
_OF_ITEMS = ("steps", "cells")


def check_finished(run: Path) -> None:
    """Raises an `InputError` if a folder holds an unfinished run.

    Args:
        run: Path of the folder. One that holds no run at all passes.

    Raises:
        InputError: if the folder has settings or a lock, but no `metrics.json`.

    Example:

    >>> import tempfile
    >>> run = Path(tempfile.mkdtemp())
    >>> _ = (run / "config.json").write_text("{}")
    >>> check_finished(run)
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: ... holds an unfinished run, which has no metrics.json yet; ...
    """
    begun = any(os.path.lexists(run / name) for name in (CONFIG, LOCK))
    if begun and not os.path.lexists(run / FINISHED):
        raise InputError(
            f"{run} holds an unfinished run, which has no {FINISHED} yet; the command that began "
            "the run goes on with it: give that command again, and then this one"
        )


def check_finished_above(network: Path) -> None:
    """Raises an `InputError` if a network lies in the folder of an unfinished run.

    Args:
        network: Path of the network's folder, such as `RUN/networks/NAME` or
            `RUN/cells/NAME/networks`. A network that was copied elsewhere passes.

    Raises:
        InputError: if the run is unfinished, see `check_finished`.
    """
    for folder in list(network.resolve().parents)[:3]:
        if any((folder / name).is_dir() for name in _OF_ITEMS):
            check_finished(folder)
