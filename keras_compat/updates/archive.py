"""Writes an update's archive."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

from keras_compat.errors import InputError
from keras_compat.files import written_atomically
from keras_compat.updates.device_client import UPDATE, UpdateError, read_archive
from keras_compat.updates.manifest import UpdateManifest

# Headers of the local kind and in the directory, for one member without its name.
_HEADERS = 30 + 46


def write_archive(path: str | Path, update: UpdateManifest, files: Mapping[str, bytes]) -> None:
    """Writes an archive, and reads it as a device does before it can be seen.

    Nothing is compressed: weights hardly shrink, and what is not packed cannot be a bomb. The same
    content gives the same bytes.

    Args:
        path: of the archive, free or to be replaced.
        update: what is said of it.
        files: its members by name, as `update` says.

    Raises:
        InputError: if a device would refuse it.

    Source: the format, https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT.

    Example:

    >>> write_archive("digits-7.zip", update, files)  # doctest: +SKIP
    """
    content = {UPDATE: update.to_json(), **{name: files[name] for name in sorted(files)}}
    with written_atomically(path) as temporary:
        with zipfile.ZipFile(temporary, "w") as archive:
            for name, data in content.items():
                archive.writestr(_member(name), data)
        try:
            read_archive(temporary)
        except UpdateError as error:
            raise InputError(f"{path} would be refused by every device: {error}") from None


def bytes_in_archive(name: str, size: int) -> int:
    """Returns what a member takes of an archive, its headers included.

    Example:

    >>> bytes_in_archive("update.json", 1000)
    1098
    """
    return _HEADERS + 2 * len(name) + size


def _member(name: str) -> zipfile.ZipInfo:
    """A member without what depends on the time and the machine."""
    member = zipfile.ZipInfo(name)
    member.create_system = 3  # Unix, on which the mode below is
    member.external_attr = 0o100644 << 16
    return member
