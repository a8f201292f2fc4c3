"""What the attacks share: a store with one good component, and what a reader says of it after."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from keras_compat import networks
from keras_compat.store import Component, Reference, Store, load, pack
from keras_compat.store.errors import StoreError
from keras_compat.store.package import sha256

GOOD = Reference("head", "1")

Attack = Callable[[Path], str | None]
"""Changes the folder of the good component; returns the name to read, if it is another."""


def make_store(folder: Path) -> Path:
    """Publishes a good component; returns its folder."""
    head = networks.build_head("resnet8:filters=4@stage2", input_channels=8, classes=2, seed=0)
    component = Component(head=head, head_architecture="resnet8:filters=4", class_names=("a", "b"))
    Store(folder).publish(GOOD, pack(component, str(GOOD)))
    return folder / GOOD.name / GOOD.tag


def rewrite(place: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Changes the manifest, and makes its sizes and checksums fit the files, as a stranger can."""
    file = place / "manifest.json"
    manifest = json.loads(file.read_text())
    for name, record in manifest["files"].items():
        content = (place / name).read_bytes()
        record.update(size=len(content), sha256=sha256(content))
    change(manifest)
    file.write_text(json.dumps(manifest))


def read(folder: Path, name: str) -> None:
    """Reads a component as a user does."""
    load(Store(folder), Reference.parse(name))


def run(attacks: Mapping[str, tuple[Attack, type[StoreError]]]) -> None:
    """Runs attacks one by one and prints what the reader says; ends with 1 if one gets through."""
    through = 0
    for name, (attack, expected) in attacks.items():
        with tempfile.TemporaryDirectory() as folder:
            place = make_store(Path(folder))
            target = attack(place) or str(GOOD)
            try:
                read(Path(folder), target)
            except expected as error:
                print(f"{name}: refused: {error}")
            else:
                through += 1
                print(f"{name}: NOT REFUSED")
    sys.exit(1 if through else 0)
