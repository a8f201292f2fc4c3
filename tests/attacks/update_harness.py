"""Attacks on devices: a device with a head in use, and a good archive, which an attack changes."""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from keras_compat.updates import device_client
from tests.attacks.archives import contents, packed
from tests.updates import made

UPDATE = device_client.UPDATE
HEAD = device_client.head_file(hashlib.sha256(made.EXTRACTOR).hexdigest())

Attack = Callable[[Path], None]
"""Changes the good archive, which lies beside the device's folder."""


@functools.cache
def _good() -> Path:
    """A device with update 1 in use, and update 2; to be copied."""
    folder = Path(tempfile.mkdtemp())
    made.device(folder / "device")
    device_client.apply(folder / "device", made.update(folder / "1.zip", 1))
    (folder / "1.zip").unlink()
    made.update(folder / "2.zip", 2)
    return folder


def make_device(folder: Path) -> tuple[Path, Path]:
    """Writes a device with a head in use, and a good update; returns both."""
    shutil.copytree(_good(), folder, dirs_exist_ok=True)
    return folder / "device", folder / "2.zip"


def rewrite(archive: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Changes what `update.json` says, as a stranger can: sizes and checksums of all else fit."""
    members = contents(archive)
    said = json.loads(members[UPDATE])
    changed = change(said)
    said = said if changed is None else changed
    members[UPDATE] = said if isinstance(said, bytes) else json.dumps(said).encode()
    archive.write_bytes(packed(members))


def with_head(archive: Path, content: bytes) -> None:
    """Puts other bytes in the place of the head, with sizes and checksums that fit."""
    members = contents(archive)
    said = json.loads(members[UPDATE])
    said["files"][HEAD] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    changed = {UPDATE: json.dumps(said).encode(), HEAD: content}
    archive.write_bytes(packed({**members, **changed}))


def everything(folder: Path) -> dict[str, bytes | None]:
    """Returns all that is in a folder, but archives and what cannot be read."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
        if not path.is_fifo() and path.suffix != ".zip" and path.stat().st_size < 2**30
    }


def python_that(folder: Path, monkeypatch: Any, does: str) -> None:
    """Puts a script in the place of the Python that runs heads."""
    script = folder / "python"
    script.write_text(f"#!/bin/sh\n{does}\n")
    script.chmod(0o755)
    monkeypatch.setattr(device_client.sys, "executable", str(script))


def attempt(folder: Path, attack: Attack) -> None:
    """Attacks a good archive and applies it."""
    device, archive = make_device(folder)
    attack(archive)
    device_client.apply(device, archive)
