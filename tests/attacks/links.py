"""Links and devices in the place of files and folders."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from keras_compat.store.errors import UnreachableError, UnsafePathError


def linked_weights(place: Path) -> None:
    moved = place.parents[2] / "outside.safetensors"
    os.rename(place / "weights.safetensors", moved)
    (place / "weights.safetensors").symlink_to(moved)


def linked_version(place: Path) -> None:
    moved = place.with_name("moved")
    os.rename(place, moved)
    place.symlink_to(moved, target_is_directory=True)


def linked_name(place: Path) -> None:
    moved = place.parents[1] / "moved"
    os.rename(place.parent, moved)
    place.parent.symlink_to(moved, target_is_directory=True)


def linked_manifest(place: Path) -> None:
    (place / "manifest.json").unlink()
    (place / "manifest.json").symlink_to("/etc/passwd")


def linked_alias(place: Path) -> str:
    (place.parent / "aliases").mkdir()
    (place.parent / "aliases" / "production").symlink_to("/etc/passwd")
    return "head@production"


def pipe(place: Path) -> None:
    (place / "README.md").unlink()
    os.mkfifo(place / "README.md")


def socket_for_a_file(place: Path) -> None:
    (place / "README.md").unlink()
    listening = socket.socket(socket.AF_UNIX)
    before = os.getcwd()
    os.chdir(place)  # a socket's path is short
    listening.bind("README.md")
    os.chdir(before)
    listening.close()


def folder_for_a_file(place: Path) -> None:
    (place / "README.md").unlink()
    (place / "README.md").mkdir()


def file_for_a_folder(place: Path) -> str:
    (place.parents[1] / "part").write_text("no folder")
    return "part@latest"


ATTACKS = {
    "weights that are a link": (linked_weights, UnsafePathError),
    "a version that is a link": (linked_version, UnsafePathError),
    "a component that is a link": (linked_name, UnsafePathError),
    "a manifest that is a link": (linked_manifest, UnsafePathError),
    "an alias that is a link": (linked_alias, UnsafePathError),
    "a pipe that nobody writes to": (pipe, UnsafePathError),
    "a socket": (socket_for_a_file, UnreachableError),
    "a folder in the place of a file": (folder_for_a_file, UnsafePathError),
    "a file in the place of a folder": (file_for_a_folder, UnsafePathError),
}
