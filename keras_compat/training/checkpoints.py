"""Checkpoints on disk, written as a whole and verified when read."""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from keras_compat.escaping import escape
from keras_compat.files import open_file, parse_json, remove, write_bytes

KEPT = 2
_NAME = re.compile(r"(\d{6,9})-([0-9a-f]{64})\.safetensors")
_STATE = "state"


@dataclass(frozen=True)
class Checkpoint:
    """The state from which a training goes on.

    Attributes:
        arrays: Arrays of NumPy's own types, by name.
        state: All other values, as JSON can hold them.
    """

    arrays: Mapping[str, np.ndarray]
    state: Mapping[str, Any] = field(default_factory=dict)


class Checkpoints:
    """The last two checkpoints of a training, in a folder of their own.

    Each is one `safetensors` file of numbers and JSON, from which no code is run. Its name is its
    number and the SHA-256 of its content, so that it can be verified without another file:
    `000012-SHA256.safetensors`. Only one process at a time may write to a folder.

    Args:
        folder: Folder of the checkpoints, made with the first one.

    Source: the format, https://huggingface.co/docs/safetensors.

    Example:

    >>> import tempfile
    >>> checkpoints = Checkpoints(Path(tempfile.mkdtemp()) / "checkpoints")
    >>> for rounds in (10, 20, 30):
    ...     checkpoints.save(Checkpoint({"kernel": np.ones(2)}, {"rounds": rounds}))
    >>> len(list(checkpoints.folder.iterdir())), checkpoints.latest().state
    (2, {'rounds': 30})
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def save(self, checkpoint: Checkpoint) -> None:
        """Writes a checkpoint, and then removes all but the last two.

        Raises:
            OSError: The checkpoint cannot be written; earlier ones are left as they are.
        """
        from safetensors.numpy import save

        if not self.folder.is_dir():
            remove(self.folder)
        # A process that was killed while writing leaves part of a file.
        for unfinished in self.folder.glob(".*.partial"):
            remove(unfinished)
        there = self._files()
        number = _number(there[-1]) + 1 if there else 0
        arrays = {n: np.asarray(a, order="C") for n, a in checkpoint.arrays.items()}
        content = save(arrays, {_STATE: json.dumps(checkpoint.state)})
        digest = hashlib.sha256(content).hexdigest()
        write_bytes(self.folder / f"{number:06d}-{digest}.safetensors", content)
        for old in self._files()[:-KEPT]:
            remove(old)

    def latest(self) -> Checkpoint | None:
        """Returns the last checkpoint that is not damaged, else `None`; warns of damaged ones."""
        return next((checkpoint for _, checkpoint in self.newest_first()), None)

    def newest_first(self) -> Iterator[tuple[Path, Checkpoint]]:
        """Yields the checkpoints that are not damaged, with their files; warns of damaged ones."""
        for path in reversed(self._files()):
            try:
                found = _read(path)
            except (OSError, ValueError) as error:
                pass_over(path, error)
            else:
                yield path, found

    def clear(self) -> None:
        """Removes all checkpoints."""
        remove(self.folder)

    def _files(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        found = [path for path in self.folder.iterdir() if _NAME.fullmatch(path.name)]
        return sorted(found, key=_number)


def pass_over(path: Path, why: object) -> None:
    """Warns that a checkpoint cannot be used."""
    warnings.warn(f"{escape(path)} is passed over: {escape(why)}", stacklevel=3)


def _number(path: Path) -> int:
    return int(path.name.partition("-")[0])


def _read(path: Path) -> Checkpoint:
    """Returns a checkpoint; raises a `ValueError` if it is damaged."""
    from safetensors import SafetensorError, safe_open

    with open_file(path) as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != _NAME.fullmatch(path.name)[2]:
        raise ValueError("it is damaged, its content is not what was written")
    try:
        with safe_open(path, "np") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            state = parse_json(file.metadata()[_STATE], _STATE, "that of a training")
    except (SafetensorError, KeyError, TypeError) as error:
        raise ValueError(f"it is no checkpoint of ours ({error})") from None
    if not all(np.isfinite(a).all() for a in arrays.values() if a.dtype.kind in "fc"):
        raise ValueError("it holds numbers that are not finite")
    return Checkpoint(arrays, state)
