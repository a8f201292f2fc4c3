"""Writing of an update's archives: zip files of one exact form.

`device_client.read_update` holds the schema of `update.json`; every archive is read back with it.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence, Set
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_compat.errors import InputError
from keras_compat.files import written_atomically
from keras_compat.store import Manifest, read_manifest
from keras_compat.store.manifest import MANIFEST
from keras_compat.updates.device_client import UPDATE, UpdateError, head_file, read_archive


@dataclass(frozen=True)
class Archive:
    """An archive to be written.

    Args:
        path: Free path, or path of a file to be replaced.
        files: Members by name; those that `update` does not name are left out.
    """

    path: Path
    update: Mapping[str, Any]
    files: Mapping[str, bytes]

    def for_extractor(self, path: Path, sha256: str) -> Archive:
        """Returns the archive of the same update for one of its extractors alone."""
        extractors = [one for one in self.update["extractors"] if one["sha256"] == sha256]
        name = head_file(sha256)
        files = {name: self.update["files"][name]}
        return Archive(path, {**self.update, "extractors": extractors, "files": files}, self.files)


def write_archives(archives: Sequence[Archive]) -> None:
    """Writes archives, and reads each as a device does, before any of them appears.

    Members are stored uncompressed: weights hardly shrink, and an uncompressed archive cannot be a
    bomb. Equal content gives equal bytes.

    Args:
        archives: Archives to write; the first one appears last.

    Raises:
        InputError: If devices would refuse an archive, or its component is not the update's head.

    Source: the format, https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT.
    """
    with ExitStack() as renames:
        for archive in archives:
            _write(archive, renames.enter_context(written_atomically(archive.path)))


def _write(archive: Archive, temporary: Path) -> None:
    update, path = archive.update, archive.path
    if MANIFEST in update["files"]:
        component = read_manifest(archive.files[MANIFEST], str(path))
        check_component(component, update["class_names"], set(update["families"]))
    content = {UPDATE: json.dumps(update, indent=2, ensure_ascii=False).encode() + b"\n"}
    content |= {name: archive.files[name] for name in sorted(update["files"])}
    with zipfile.ZipFile(temporary, "w") as opened:
        for name, data in content.items():
            opened.writestr(_member(name), data)
    try:
        read_archive(temporary)
    except UpdateError as error:
        raise InputError(f"{path} would be refused by every device: {error}") from None


def _member(name: str) -> zipfile.ZipInfo:
    """Returns a member's header, independent of the time and the machine."""
    member = zipfile.ZipInfo(name)
    member.create_system = 3  # Unix, for which the mode below is valid
    member.external_attr = 0o100644 << 16
    return member


def check_kind(component: Manifest) -> None:
    """Raises `InputError` if a component is not a classifier's head."""
    if component.kind != "head" or component.head is None or component.head.dense:
        raise InputError(f"a component of kind {component.kind}; expected a head of a classifier")


def check_component(component: Manifest, class_names: Sequence[str], families: Set[str]) -> None:
    """Raises `InputError` if a component is not the head of an update."""
    check_kind(component)
    for what, found, expected in (
        ("class names", component.class_names, tuple(class_names)),
        ("families", component.families, frozenset(families)),
    ):
        if found != expected:
            raise InputError(f"the component has other {what} than its update")
