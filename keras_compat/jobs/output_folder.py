"""A run's output folder: there once the run has finished, and not before."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_compat.errors import InputError
from keras_compat.reporting.metrics import write_text

FINISHED = "metrics.json"
CONFIG = "config.json"


class OutputFolder:
    """Collects a run's files beside their place, and puts them there in one step at the end.

    An interrupted run leaves `NAME.partial` and nothing that looks finished.

    Args:
        path: where the finished run is to be.
        config: the run's settings; a partial folder of other settings is not touched.
        overwrite: whether a finished run, or a partial one of other settings, may be replaced.

    Raises:
        InputError: if the folder holds a finished run, files of another kind or an unfinished run
            of other settings, or cannot be written.

    Example:

    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp()) / "run"
    >>> folder = OutputFolder(place, {"seed": 0})
    >>> _ = (folder.partial / "metrics.json").write_text("{}")
    >>> place.exists(), folder.finish().name, place.exists()
    (False, 'run', True)
    """

    def __init__(
        self, path: str | os.PathLike[str], config: Mapping[str, Any], overwrite: bool = False
    ):
        self.path = Path(path)
        self.partial = self.path.with_name(self.path.name + ".partial")
        self._overwrite = overwrite
        settings = json.loads(json.dumps(config))
        self._check_finished()
        self._check_partial(settings)
        try:
            if self.partial.exists():
                shutil.rmtree(self.partial)
            self.partial.mkdir(parents=True)
            write_text(self.partial / CONFIG, json.dumps(settings, indent=2) + "\n")
        except OSError as error:
            raise InputError(
                f"output folder {str(self.path)!r} cannot be written ({error.strerror}); "
                "choose another with --output_dir"
            ) from None

    def _check_finished(self) -> None:
        if not self.path.exists() or self._overwrite:
            return
        if not self.path.is_dir():
            raise InputError(f"output folder {str(self.path)!r} is a file; choose another folder")
        if (self.path / FINISHED).exists():
            raise InputError(
                f"output folder {str(self.path)!r} holds a finished run; choose another with "
                "--output_dir, or replace it with --overwrite"
            )
        if any(self.path.iterdir()):
            raise InputError(
                f"output folder {str(self.path)!r} holds other files; choose another with "
                "--output_dir"
            )

    def _check_partial(self, settings: Mapping[str, Any]) -> None:
        known = self.partial / CONFIG
        if self._overwrite or not known.is_file():
            return
        try:
            same = json.loads(known.read_text(encoding="utf-8")) == settings
        except ValueError:
            same = False
        if not same:
            raise InputError(
                f"{str(self.partial)!r} holds an unfinished run of another configuration; choose "
                "another --output_dir, or replace it with --overwrite"
            )

    def finish(self) -> Path:
        """Puts the files in their place, and returns it."""
        replaced = self.path.with_name(self.path.name + ".replaced")
        if self.path.exists():
            self.path.rename(replaced)
        self.partial.rename(self.path)
        if replaced.exists():
            shutil.rmtree(replaced)
        return self.path
