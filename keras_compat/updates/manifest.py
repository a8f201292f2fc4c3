"""What is said of a head update: the file `update.json`, schema 1, as it is written.

The reader is `device_client.read_update`, which needs no pydantic; what it takes, this takes too.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from keras_compat.errors import InputError
from keras_compat.store.manifest import SHA256, FileRecord, Line, Manifest, Strict
from keras_compat.updates.device_client import (
    COMPONENT,
    MOST_EXTRACTORS,
    QUANTIZATIONS,
    SCHEMA,
    head_file,
)

Reference = Annotated[str, Field(pattern=r"^[a-z0-9._-]{1,64}@[a-z0-9.-]{1,32}$")]
Name = Annotated[str, Field(pattern=r"^[a-z0-9]+(?:[._-][a-z0-9]+)*$", max_length=64)]
Quantization = Annotated[str, Field(pattern=f"^(?:{'|'.join(QUANTIZATIONS)})$")]
Size = Annotated[int, Field(ge=1, le=65_536)]
Number = Annotated[int, Field(ge=1, le=2**53)]
_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"


class ExtractorRecord(Strict):
    """An extractor that the update has a head for, with what was measured on it.

    `sha256` is that of the extractor's file on the device; `interface` height, width and channels
    of its features; `accuracy` a part of one, of so many test `images`.
    """

    component: Reference
    sha256: SHA256
    quantization: Quantization
    interface: tuple[Size, Size, Size]
    accuracy: Annotated[float, Field(ge=0, le=1)]
    images: Number


class UpdateManifest(Strict):
    """All that is said of a head update.

    Attributes:
        schema_version: of this format.
        name: of the head; a device takes the updates of one name.
        number: grows with each update; a device takes none that is not higher than all it had.
        created: UTC, to the second, as ISO 8601.
        class_names: of the head's outputs.
        families: the auxiliary heads that the head was trained against, by SHA-256.
        extractors: those that the update has heads for.
        files: all other members of the archive, by name.
    """

    schema_version: Literal[1] = SCHEMA
    name: Name
    number: Number
    created: Annotated[str, Field(pattern=_TIME)]
    class_names: Annotated[tuple[Line, ...], Field(min_length=1, max_length=100_000)]
    families: Annotated[tuple[SHA256, ...], Field(max_length=64)]
    extractors: Annotated[
        tuple[ExtractorRecord, ...], Field(min_length=1, max_length=MOST_EXTRACTORS)
    ]
    files: dict[str, FileRecord]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        heads = {head_file(extractor.sha256) for extractor in self.extractors}
        if len(heads) < len(self.extractors):
            raise ValueError("an extractor is there twice; expected each once")
        if len(set(self.class_names)) < len(self.class_names):
            raise ValueError("a class is there twice; expected each once")
        if set(self.files) not in (heads, heads | set(COMPONENT)):
            raise ValueError(f"files are {sorted(self.files)}; expected one for each extractor")
        return self

    def to_json(self) -> bytes:
        """Returns the content of `update.json`."""
        return self.model_dump_json(indent=2).encode() + b"\n"

    def for_extractor(self, sha256: str) -> UpdateManifest:
        """Returns what is said of the same update for one of its extractors alone."""
        about = [extractor for extractor in self.extractors if extractor.sha256 == sha256]
        name = head_file(sha256)
        return UpdateManifest(
            **{**dict(self), "extractors": tuple(about), "files": {name: self.files[name]}}
        )


def check_kind(component: Manifest) -> None:
    """Raises `InputError` if a component is not one that updates are made of.

    Example:

    >>> check_kind(manifest)  # doctest: +SKIP
    """
    if component.kind != "head" or component.head is None or component.head.dense:
        raise InputError(f"a component of kind {component.kind}; expected a head of a classifier")


def check_component(component: Manifest, class_names: Sequence[str], families: Set[str]) -> None:
    """Raises `InputError` if a component is not the head that an update says it is.

    Args:
        component: the component's manifest.
        class_names: of the update.
        families: of the update.

    Example:

    >>> check_component(manifest, ("cat", "dog"), set())  # doctest: +SKIP
    """
    check_kind(component)
    for what, found, expected in (
        ("class names", component.class_names, tuple(class_names)),
        ("families", component.families, frozenset(families)),
    ):
        if found != expected:
            raise InputError(f"the component has other {what} than its update")
