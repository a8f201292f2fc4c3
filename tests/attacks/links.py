"""Links and devices in the place of files and folders."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

from keras_compat.store.errors import UnreachableError, UnsafePathError
from tests.attacks.archives import instead, refused
from tests.attacks.harness import Attack


def linked(path: Callable[[Path], Path]) -> Attack:
    """A file or a folder is elsewhere, and a link to it in its place."""

    def attack(place: Path) -> None:
        store = place.parents[1]
        moved = store.with_name(f"{store.name}_outside")
        os.rename(path(place), moved)
        path(place).symlink_to(moved)

    return attack


def linked_alias(place: Path) -> str:
    (place.parent / "aliases").mkdir()
    (place.parent / "aliases" / "production").symlink_to("/etc/passwd")
    return "head@production"


def card(make: Callable[[Path], object]) -> Attack:
    return lambda place: instead(make)(place / "README.md")


def bind(path: Path) -> None:
    with contextlib.chdir(path.parent), socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path.name)  # a socket's path is short


def file_for_a_folder(place: Path) -> str:
    (place.parents[1] / "part").write_text("no folder")
    return "part@latest"


ATTACKS = {
    **refused(
        UnsafePathError,
        {
            "weights that are a link": linked(lambda place: place / "weights.safetensors"),
            "a version that is a link": linked(lambda place: place),
            "a component that is a link": linked(lambda place: place.parent),
            "a manifest that is a link": linked(lambda place: place / "manifest.json"),
            "an alias that is a link": linked_alias,
            "a pipe that nobody writes to": card(os.mkfifo),
            "a folder in the place of a file": card(Path.mkdir),
            "a file in the place of a folder": file_for_a_folder,
        },
    ),
    "a socket": (card(bind), UnreachableError),
}
