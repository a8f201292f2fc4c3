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
from tests.attacks.harness import rewrite, run

WEIGHTS = "weights.safetensors"


def header(entries: dict[str, Any]):
    """Weights whose header says `entries`, with checksums that fit."""

    def attack(place: Path) -> None:
        size = (place / WEIGHTS).stat().st_size
        text = json.dumps(entries).encode()
        start = len(text).to_bytes(8, "little") + text
        (place / WEIGHTS).write_bytes(start + b"\0" * (size - len(start)))
        rewrite(place, lambda manifest: None)

    return attack


def long_header(place: Path) -> None:
    size = (place / WEIGHTS).stat().st_size
    (place / WEIGHTS).write_bytes((2**62).to_bytes(8, "little") + b"{" * (size - 8))
    rewrite(place, lambda manifest: None)


def architecture(**arguments: Any):
    def attack(place: Path) -> None:
        def change(manifest: dict[str, Any]) -> None:
            manifest["head"]["architecture"]["arguments"].update(arguments)

        rewrite(place, change)

    return attack


def field(key: str, value: Any):
    def attack(place: Path) -> None:
        rewrite(place, lambda manifest: manifest["head"].update({key: value}))

    return attack


def sparse_file(size: int):
    """Weights that take no room on disk, and that the manifest owns up to."""

    def attack(place: Path) -> None:
        os.truncate(place / WEIGHTS, size)
        file = place / "manifest.json"
        manifest = json.loads(file.read_text())
        manifest["files"][WEIGHTS]["size"] = size
        file.write_text(json.dumps(manifest))

    return attack


def sparse_card(place: Path) -> None:
    os.truncate(place / "README.md", 2**40)


TERABYTE = 2**40
ONE = {"dtype": "F32", "shape": [2**38], "data_offsets": [0, TERABYTE]}
OVERFLOW = {"dtype": "F32", "shape": [2**32, 2**32, 2**32], "data_offsets": [0, 8]}

ATTACKS = {
    "a header that claims a terabyte": (header({"logits/kernel": ONE}), BadWeightsError),
    "shapes beyond 64 bits": (header({"logits/kernel": OVERFLOW}), BadWeightsError),
    "a header of 2^62 bytes": (long_header, BadWeightsError),
    "a sparse file of a terabyte": (sparse_file(2**40), BadWeightsError),
    "a sparse file of two gigabytes": (sparse_file(2**31), BadWeightsError),
    "a card of a terabyte": (sparse_card, TooLargeError),
    "a network of a billion layers": (architecture(depth=6 * 10**9 + 2), UnknownArchitectureError),
    "a network of four thousand layers": (architecture(depth=4094), UnknownArchitectureError),
    "a network of a billion channels": (architecture(filters=10**9), UnknownArchitectureError),
    "a network of gigabytes": (architecture(filters=4096), BadWeightsError),
    "features of a billion channels": (field("input_channels", 10**9), BadManifestError),
    "a billion classes": (field("outputs", 10**9), BadManifestError),
}

if __name__ == "__main__":
    run(ATTACKS)
