"""Attacks on components: a store with one good component, which an attack changes."""

from __future__ import annotations

import functools
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from keras_compat import networks
from keras_compat.store import Component, Reference, Store, load, pack
from keras_compat.store.package import sha256

GOOD = Reference("head", "1")

Attack = Callable[[Path], str | None]
"""Changes the folder of the good component; returns the name to read, if it is another."""


@functools.cache
def _good() -> Path:
    """Returns a store with a good component, to be copied."""
    folder = Path(tempfile.mkdtemp())
    head = networks.build_head("resnet8:filters=4@stage2", input_channels=8, classes=2, seed=0)
    component = Component(head=head, head_architecture="resnet8:filters=4", class_names=("a", "b"))
    Store(folder).publish(GOOD, pack(component, str(GOOD)))
    return folder


def make_store(folder: Path) -> Path:
    """Writes a store with a good component; returns the component's folder."""
    shutil.copytree(_good(), folder, dirs_exist_ok=True)
    return folder / GOOD.name / GOOD.tag


def rewrite(
    place: Path, change: Callable[[dict[str, Any]], object] = lambda manifest: None
) -> None:
    """Fits sizes and checksums in the manifest to the files, as a stranger can, and changes it."""
    file = place / "manifest.json"
    manifest = json.loads(file.read_text())
    for name, record in manifest["files"].items():
        content = (place / name).read_bytes()
        record.update(size=len(content), sha256=sha256(content))
    change(manifest)
    file.write_text(json.dumps(manifest))


def changed(name: str, change: Callable[[bytes], bytes], fitting: bool = False) -> Attack:
    """A file has other bytes, of which the manifest says so if `fitting`."""

    def attack(place: Path) -> None:
        (place / name).write_bytes(change((place / name).read_bytes()))
        if fitting:
            rewrite(place)

    return attack


def said(*path: str, to: Any) -> Attack:
    """One value of the manifest is another."""

    def attack(place: Path) -> None:
        def change(manifest: dict[str, Any]) -> None:
            for key in path[:-1]:
                manifest = manifest[key]
            manifest[path[-1]] = to

        rewrite(place, change)

    return attack


def attempt(folder: Path, attack: Attack) -> None:
    """Attacks a good component and reads it as a user does."""
    target = attack(make_store(folder)) or str(GOOD)
    load(Store(folder), Reference.parse(target))
