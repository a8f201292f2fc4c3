"""Traces of a few rounds of every training, if a run is asked for them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

# Not a setting: it changes nothing that is trained. The processes of a run inherit it.
_ASKED = "KERAS_COMPAT_PROFILE"


def ask_for_profiles() -> None:
    """Lets every training of this run, in whatever process, write a trace of a few rounds."""
    os.environ[_ASKED] = "1"


def profile_callbacks(folder: Path) -> list[keras.callbacks.Callback]:
    """Returns the callback that writes a trace, if the run was asked for it.

    Args:
        folder: Folder for the trace.
    """
    if os.environ.get(_ASKED) != "1":
        return []
    from keras_compat.training import ProfileRounds

    return [ProfileRounds(folder)]
