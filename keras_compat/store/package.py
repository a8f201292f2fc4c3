"""A component as bytes: its manifest and its files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from keras_compat.store.errors import DamagedError, WrongFilesError
from keras_compat.store.manifest import MANIFEST, FileRecord, Manifest


@dataclass(frozen=True)
class Package:
    """A component as it is stored; `packing` converts it from and to models."""

    manifest: Manifest
    files: Mapping[str, bytes]

    def content(self) -> dict[str, bytes]:
        """Returns all files, the manifest last: it completes the component."""
        return {**self.files, MANIFEST: self.manifest.to_json()}


def file_record(content: bytes) -> FileRecord:
    """Returns the manifest's record of a file.

    Example:

    >>> file_record(b"abc").size
    3
    """
    return FileRecord(size=len(content), sha256=sha256(content))


def sha256(content: bytes) -> str:
    """Returns the SHA-256 of bytes as hexadecimal digits.

    Example:

    >>> sha256(b"")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(content).hexdigest()


def check_file(what: str, content: bytes, record: FileRecord) -> None:
    """Raises `DamagedError` if a file differs from its record.

    Example:

    >>> check_file("README.md of phone@1", b"abd", file_record(b"abc"))
    Traceback (most recent call last):
        ...
    keras_compat.store.errors.DamagedError: README.md of phone@1 has SHA-256 a52d...
    """
    if len(content) != record.size:
        raise DamagedError(
            f"{what} has {len(content)} bytes; its manifest says {record.size}: publish it again"
        )
    found = sha256(content)
    if found != record.sha256:
        raise DamagedError(
            f"{what} has SHA-256 {found}; its manifest says {record.sha256}: publish it again"
        )


def check_names(what: str, found: list[str], manifest: Manifest) -> None:
    """Raises `WrongFilesError` if files are missing, or the manifest does not name them."""
    expected = {*manifest.files, MANIFEST}
    missing, extra = sorted(expected - set(found)), sorted(set(found) - expected)
    if missing:
        raise WrongFilesError(f"{what} lacks {missing[0]}, which its manifest names; publish again")
    if extra:
        raise WrongFilesError(
            f"{what} has {extra[0][:100]!r}, which its manifest does not name; remove it"
        )
