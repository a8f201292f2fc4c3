"""Files that are missing, too many, cut off, changed, or of another format."""

from __future__ import annotations

import io
import pickle
import zipfile

from keras_compat.store.errors import (
    BadWeightsError,
    DamagedError,
    NotPublishedError,
    TooLargeError,
    WrongFilesError,
)
from tests.attacks.harness import changed

WEIGHTS = "weights.safetensors"


def without(name: str):
    return lambda place: (place / name).unlink()


class _Runs:
    """What pickle would run on being loaded."""

    def __reduce__(self):
        return print, ("pickle has run something",)


def in_place_of_weights(start: bytes):
    """Another format, as long as the weights, with checksums that fit."""
    return changed(WEIGHTS, lambda old: start + b"\0" * (len(old) - len(start)), fitting=True)


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("config.json", '{"class_name": "Lambda"}')
    return file.getvalue()


ATTACKS = {
    "no manifest": (without("manifest.json"), NotPublishedError),
    "no weights": (without(WEIGHTS), WrongFilesError),
    "no card": (without("README.md"), WrongFilesError),
    "a file that nobody named": (
        lambda place: (place / "setup.py").write_text("import os") and None,
        WrongFilesError,
    ),
    "weights cut off": (changed(WEIGHTS, lambda old: old[:-1]), DamagedError),
    "weights with a byte more": (changed(WEIGHTS, lambda old: old + b"\0"), TooLargeError),
    "weights with a bit changed": (
        changed(WEIGHTS, lambda old: old[:-7] + bytes([old[-7] ^ 1]) + old[-6:]),
        DamagedError,
    ),
    "a card that was changed": (
        changed("README.md", lambda old: old.replace(b"keras", b"kEras")),
        DamagedError,
    ),
    "a pickle": (in_place_of_weights(pickle.dumps(_Runs())), BadWeightsError),
    "an .h5 file": (in_place_of_weights(b"\x89HDF\r\n\x1a\n"), BadWeightsError),
    "a .keras file": (in_place_of_weights(_zip()), BadWeightsError),
    "zeros": (in_place_of_weights(b""), BadWeightsError),
}
