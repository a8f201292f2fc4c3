"""Writes an update's archives."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from keras_compat.errors import InputError
from keras_compat.files import written_atomically
from keras_compat.store import read_manifest
from keras_compat.store.manifest import MANIFEST
from keras_compat.updates.device_client import UPDATE, UpdateError, read_archive
from keras_compat.updates.manifest import UpdateManifest, check_component


@dataclass(frozen=True)
class Archive:
    """An archive to be written.

    Args:
        path: free, or of a file to be replaced.
        update: what is said of it.
        files: its members by name, as `update` says; what it does not name is left out.
    """

    path: Path
    update: UpdateManifest
    files: Mapping[str, bytes]


def write_archives(archives: Sequence[Archive]) -> None:
    """Writes archives, and reads each as a device does, before any can be seen.

    Nothing is compressed: weights hardly shrink, and what is not packed cannot be a bomb. The same
    content gives the same bytes.

    Args:
        archives: in this order; the first appears last.

    Raises:
        InputError: if a device would refuse one, or its component is not the head that it is of.

    Source: the format, https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT.

    Example:

    >>> write_archives([Archive(Path("digits-7.zip"), update, files)])  # doctest: +SKIP
    """
    with ExitStack() as renames:
        for archive in archives:
            _write(archive, renames.enter_context(written_atomically(archive.path)))


def _write(archive: Archive, temporary: Path) -> None:
    update, path = archive.update, archive.path
    if MANIFEST in update.files:
        component = read_manifest(archive.files[MANIFEST], str(path))
        check_component(component, update.class_names, set(update.families))
    content = {UPDATE: update.to_json()}
    content |= {name: archive.files[name] for name in sorted(update.files)}
    with zipfile.ZipFile(temporary, "w") as opened:
        for name, data in content.items():
            opened.writestr(_member(name), data)
    try:
        read_archive(temporary)
    except UpdateError as error:
        raise InputError(f"{path} would be refused by every device: {error}") from None


def _member(name: str) -> zipfile.ZipInfo:
    """A member without what depends on the time and the machine."""
    member = zipfile.ZipInfo(name)
    member.create_system = 3  # Unix, on which the mode below is
    member.external_attr = 0o100644 << 16
    return member
