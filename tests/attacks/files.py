"""Files that are missing, too many, cut off, changed, or of another format."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

from keras_compat.store.errors import (
    BadWeightsError,
    DamagedError,
    NotPublishedError,
    TooLargeError,
    WrongFilesError,
)
from tests.attacks.harness import rewrite, run

WEIGHTS = "weights.safetensors"


def without(name: str):
    def attack(place: Path) -> None:
        (place / name).unlink()

    return attack


def extra_file(place: Path) -> None:
    (place / "setup.py").write_text("import os")


def cut_off(place: Path) -> None:
    content = (place / WEIGHTS).read_bytes()
    (place / WEIGHTS).write_bytes(content[:-1])


def longer(place: Path) -> None:
    with open(place / WEIGHTS, "ab") as file:
        file.write(b"\0")


def flipped(place: Path) -> None:
    content = bytearray((place / WEIGHTS).read_bytes())
    content[-7] ^= 1
    (place / WEIGHTS).write_bytes(content)


def other_card(place: Path) -> None:
    content = (place / "README.md").read_bytes()
    (place / "README.md").write_bytes(content.replace(b"keras", b"kEras"))


class _Runs:
    """What pickle would run on being loaded."""

    def __reduce__(self):
        return print, ("pickle has run something",)


def in_place_of_weights(start: bytes):
    """Another format, as long as the weights, with checksums that fit."""

    def attack(place: Path) -> None:
        size = (place / WEIGHTS).stat().st_size
        (place / WEIGHTS).write_bytes(start + b"\0" * (size - len(start)))
        rewrite(place, lambda manifest: None)

    return attack


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("config.json", '{"class_name": "Lambda"}')
    return file.getvalue()


ATTACKS = {
    "no manifest": (without("manifest.json"), NotPublishedError),
    "no weights": (without(WEIGHTS), WrongFilesError),
    "no card": (without("README.md"), WrongFilesError),
    "a file that nobody named": (extra_file, WrongFilesError),
    "weights cut off": (cut_off, DamagedError),
    "weights with a byte more": (longer, TooLargeError),
    "weights with a bit changed": (flipped, DamagedError),
    "a card that was changed": (other_card, DamagedError),
    "a pickle": (in_place_of_weights(pickle.dumps(_Runs())), BadWeightsError),
    "an .h5 file": (in_place_of_weights(b"\x89HDF\r\n\x1a\n"), BadWeightsError),
    "a .keras file": (in_place_of_weights(_zip()), BadWeightsError),
    "zeros": (in_place_of_weights(b""), BadWeightsError),
}

if __name__ == "__main__":
    run(ATTACKS)
