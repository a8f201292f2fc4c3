"""Schema 1 of `manifest.json`, the description of a component."""

from __future__ import annotations

import json
from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from keras_compat.data.classes import LONGEST_NAME, MOST_CLASSES, ONE_LINE
from keras_compat.data.options import LARGEST_IMAGE
from keras_compat.escaping import escape
from keras_compat.store.errors import BadManifestError, NewerSchemaError, TooLargeError

SCHEMA = 1
MANIFEST, WEIGHTS, CARD = "manifest.json", "weights.safetensors", "README.md"
LARGEST_MANIFEST = 2**20
"""Maximum size in bytes; the manifest of a head of 1,000 classes has 30,000."""

Kind = Literal["extractor", "head", "auxiliary_head", "network"]
KINDS = get_args(Kind)

Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]
Line = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME, pattern=ONE_LINE)]
SHA256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Pixels = Annotated[int, Field(ge=1, le=LARGEST_IMAGE)] | None
Channels = Annotated[int, Field(ge=1, le=65_536)]
Whole = Annotated[int, Field(ge=-(2**53), le=2**53)]
Real = Annotated[float, Field(ge=-(2**53), le=2**53)]
Count = Annotated[int, Field(ge=0, le=2**53)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class ArchitectureRecord(Strict):
    """An architecture of the registry, with all of its arguments and its split."""

    name: Word
    arguments: dict[Word, Whole | Real] = Field(max_length=16)
    split: Word

    def __str__(self) -> str:
        arguments = ",".join(f"{key}={value}" for key, value in self.arguments.items())
        return f"{self.name}{':' if arguments else ''}{arguments}@{self.split}"


class ExtractorRecord(Strict):
    """Arguments of `keras_compat.networks.build_extractor`."""

    architecture: ArchitectureRecord
    image_shape: tuple[Pixels, Pixels, Channels]
    interface_channels: Channels | None
    normalization: Word
    features: Word


class HeadRecord(Strict):
    """Arguments of `keras_compat.networks.build_head`."""

    architecture: ArchitectureRecord
    input_channels: Channels
    outputs: Annotated[int, Field(ge=1, le=1_000_000)]
    normalization: Word
    dense: bool


class AuxiliaryRecord(Strict):
    """An auxiliary head that a component was trained against.

    `sha256` is the digest of the head's weights after that training. Components that share one are
    a family.
    """

    task: Word
    mode: Literal["shared", "frozen"]
    sha256: SHA256


class ParentRecord(Strict):
    """A component that this one was made from; `sha256` is the digest of its manifest."""

    name: Word
    version: Word
    kind: Kind
    sha256: SHA256


class DataRecord(Strict):
    """A training set; `sha256` is the digest of its images and labels."""

    name: Line
    images: Count
    sha256: SHA256 | None = None


class FileRecord(Strict):
    """Size in bytes and SHA-256 of a component's file."""

    size: Count
    sha256: SHA256


class Manifest(Strict):
    """Description of a component.

    Attributes:
        schema_version: Version of this format.
        kind: `"extractor"`, `"head"`, `"auxiliary_head"`, or `"network"` for a recombined pair.
        extractor: Arguments that build the extractor, if there is one.
        head: Arguments that build the head, if there is one.
        interface: Height, width and channels of the features between extractor and head; None for
            the height and width of a head alone.
        statistics: Statistics that batch normalization uses.
        class_names: Names of the head's outputs; none for an auxiliary head or an extractor.
        task: Task of an auxiliary head.
        auxiliaries: Auxiliary heads that the component was trained against.
        parents: The two parts of a pair; the former version of an adapted component.
        feature_statistics: Whether the weights include mean and variance of the head's training
            features.
        data: Training sets.
        metrics: Measured figures by name; accuracies are fractions.
        licence: SPDX expression, or `"unspecified"`.
        versions: Versions of the packages that wrote the component.
        created: UTC to the second, as ISO 8601.
        files: Records of all files except the manifest, by name.

    Source: the fields are those of https://github.com/huggingface/hub-docs/blob/main/modelcard.md
    where it has them.
    """

    schema_version: Literal[1] = SCHEMA
    kind: Kind
    extractor: ExtractorRecord | None = None
    head: HeadRecord | None = None
    interface: tuple[Pixels, Pixels, Channels]
    statistics: Literal["batch", "moving"]
    class_names: Annotated[tuple[Line, ...], Field(max_length=MOST_CLASSES)] = ()
    task: Word | None = None
    auxiliaries: Annotated[tuple[AuxiliaryRecord, ...], Field(max_length=64)] = ()
    parents: Annotated[tuple[ParentRecord, ...], Field(max_length=8)] = ()
    feature_statistics: bool = False
    data: Annotated[tuple[DataRecord, ...], Field(max_length=64)] = ()
    metrics: dict[Line, float] = Field(default={}, max_length=256)
    licence: Line = "unspecified"
    versions: dict[Word, Line] = Field(default={}, max_length=64)
    created: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
    files: dict[Literal["weights.safetensors", "README.md"], FileRecord]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        parts = {"extractor": self.extractor is not None, "head": self.head is not None}
        wanted = {
            "extractor": {"extractor": True, "head": False},
            "network": {"extractor": True, "head": True},
        }.get(self.kind, {"extractor": False, "head": True})
        if parts != wanted:
            raise ValueError(f"a component of kind {self.kind} needs other records of its parts")
        if (self.kind == "auxiliary_head") != (self.task is not None):
            raise ValueError("a task is for an auxiliary head, which needs one")
        classes = self.head.outputs if self.kind in ("head", "network") and self.head else 0
        if len(self.class_names) != classes or len(set(self.class_names)) != classes:
            raise ValueError(f"{len(self.class_names)} class names; expected {classes}, each once")
        if set(self.files) != {WEIGHTS, CARD}:
            raise ValueError(f"files are {sorted(self.files)}; expected {CARD} and {WEIGHTS}")
        return self

    def to_json(self) -> bytes:
        """Returns the content of `manifest.json`."""
        return self.model_dump_json(indent=2, exclude_none=False).encode() + b"\n"

    @property
    def families(self) -> frozenset[str]:
        """SHA-256 of the auxiliary heads that the component was trained against, or is itself."""
        own = {self.files[WEIGHTS].sha256} if self.kind == "auxiliary_head" else set()
        return frozenset({auxiliary.sha256 for auxiliary in self.auxiliaries} | own)


def json_schema() -> str:
    """Returns the JSON schema of `manifest.json`, for programs outside of this package.

    `read_manifest` also checks rules that JSON schema cannot express, such as one class name for
    each output. The text is stored in `manifest-1.schema.json`.

    Source: https://json-schema.org/draft/2020-12.

    Example:

    >>> json.loads(json_schema())["title"]
    'Manifest'
    """
    return json.dumps(Manifest.model_json_schema(), indent=2, ensure_ascii=True) + "\n"


class _OnlyVersion(BaseModel):
    schema_version: int


def read_manifest(content: bytes, what: str) -> Manifest:
    """Reads the content of a `manifest.json`, also from strangers.

    Raises:
        TooLargeError: If it has more than a megabyte.
        NewerSchemaError: If it has a later schema.
        BadManifestError: If it is invalid.

    Example:

    >>> read_manifest(b"{}", "phone@1")
    Traceback (most recent call last):
        ...
    keras_compat.store.errors.BadManifestError: manifest of phone@1: schema_version: Field required
    """
    if len(content) > LARGEST_MANIFEST:
        raise TooLargeError(
            f"manifest of {what} has {len(content)} bytes; expected {LARGEST_MANIFEST} at most"
        )
    try:
        version = _OnlyVersion.model_validate_json(content).schema_version
        if version <= SCHEMA:
            return Manifest.model_validate_json(content)
    except ValidationError as error:
        raise BadManifestError(f"manifest of {what}: {_first_fault(error)}") from None
    raise NewerSchemaError(
        f"manifest of {what} is of schema {version}; this release reads {SCHEMA} and earlier ones: "
        "install a later release of keras_compat"
    )


def _first_fault(error: ValidationError) -> str:
    """Returns the first fault in one line."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    text = f"{place}: {first['msg']}" if place else first["msg"]
    return escape(text)[:300]
