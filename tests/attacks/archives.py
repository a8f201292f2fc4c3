"""Reading and writing the members of zip archives, and tables of attacks."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from keras_compat.files import remove


def refused(expected: Any, attacks: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Returns attacks, each with the expected error's class or a part of its message."""
    return {name: (attack, expected) for name, attack in attacks.items()}


def instead(make: Callable[[Path], object]) -> Callable[..., None]:
    """Something else is in the place of a file or a folder."""

    def attack(path: Path, *_: Path) -> None:
        remove(path)
        make(path)

    return attack


def contents(archive: Path) -> dict[str, bytes]:
    """Returns the members of an archive, in their order."""
    with zipfile.ZipFile(archive) as opened:
        return {member.filename: opened.read(member) for member in opened.infolist()}


def packed(members: Mapping[str, bytes] | list[tuple[str, bytes]]) -> bytes:
    """Returns an archive of the right form, of any members."""
    pairs = list(members.items()) if isinstance(members, Mapping) else members
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as opened:
        for name, data in pairs:
            member = zipfile.ZipInfo(name)
            member.create_system, member.external_attr = 3, 0o100644 << 16
            opened.writestr(member, data)
    return file.getvalue()


def compressed(archive: Path) -> None:
    """Writes the same members again, compressed."""
    found = contents(archive)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, data in found.items():
            opened.writestr(name, data)
