"""Little that claims to be much: the memory that reading takes stays small."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from keras_compat.store.errors import (
    BadManifestError,
    BadWeightsError,
    TooLargeError,
    UnknownArchitectureError,
)
from tests.attacks.archives import refused
from tests.attacks.harness import changed, said

WEIGHTS = "weights.safetensors"


def header(size: int, text: bytes):
    """Weights with another header, with checksums that fit."""
    start = size.to_bytes(8, "little") + text
    return changed(WEIGHTS, lambda old: start + b"\0" * (len(old) - len(start)), fitting=True)


def kernel(**entry: Any):
    """Weights whose header says something else of one array."""
    text = json.dumps({"logits/kernel": {"dtype": "F32", **entry}}).encode()
    return header(len(text), text)


def architecture(argument: str, value: int):
    return said("head", "architecture", "arguments", argument, to=value)


def sparse_file(size: int):
    """Weights that take no room on disk, and that the manifest owns up to."""

    def attack(place: Path) -> None:
        os.truncate(place / WEIGHTS, size)
        manifest = json.loads((place / "manifest.json").read_text())
        manifest["files"][WEIGHTS]["size"] = size
        (place / "manifest.json").write_text(json.dumps(manifest))

    return attack


ATTACKS = {
    **refused(
        BadWeightsError,
        {
            "a header that claims a terabyte": kernel(shape=[2**38], data_offsets=[0, 2**40]),
            "shapes beyond 64 bits": kernel(shape=[2**32] * 3, data_offsets=[0, 8]),
            "a header of 2^62 bytes": header(2**62, b"{" * 100),
            "a sparse file of a terabyte": sparse_file(2**40),
            "a sparse file of two gigabytes": sparse_file(2**31),
            "a network of gigabytes": architecture("filters", 4096),
        },
    ),
    **refused(
        UnknownArchitectureError,
        {
            "a network of a billion layers": architecture("depth", 6 * 10**9 + 2),
            "a network of four thousand layers": architecture("depth", 4094),
            "a network of a billion channels": architecture("filters", 10**9),
        },
    ),
    "a card of a terabyte": (lambda place: os.truncate(place / "README.md", 2**40), TooLargeError),
    "features of a billion channels": (said("head", "input_channels", to=10**9), BadManifestError),
    "a billion classes": (said("head", "outputs", to=10**9), BadManifestError),
}
