"""Manifests that are none, or that ask for what there is not."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from safetensors.numpy import load, save

from keras_compat import networks
from keras_compat.store import Component, pack
from keras_compat.store.errors import (
    BadManifestError,
    NewerSchemaError,
    TooLargeError,
    UnknownArchitectureError,
)
from keras_compat.store.recipes import variables
from tests.attacks.harness import changed, rewrite, run, said


def content(data: bytes):
    return changed("manifest.json", lambda old: data)


def twice_the_key(place: Path) -> None:
    text = (place / "manifest.json").read_text()
    (place / "manifest.json").write_text(
        text.replace('"kind"', '"kind": "network", "kind"', 1)[:-3]
    )


def misfit(place: Path) -> None:
    """A network, whole but for a head of other channels."""
    extractor = networks.build_extractor("resnet8:filters=4", (8, 8, 1), interface_channels=8)
    head = networks.build_head("resnet8:filters=4", input_channels=8, classes=2)
    pair = Component(extractor, head, "resnet8:filters=4", "resnet8:filters=4", ("a", "b"))
    other = networks.build_head("resnet8:filters=4", input_channels=16, classes=2)
    packed = pack(pair)
    arrays = load(packed.files["weights.safetensors"])
    arrays |= {
        f"head/{name}": np.asarray(keras.ops.convert_to_numpy(v))
        for name, v in variables(other).items()
    }
    for name, content in {**packed.content(), "weights.safetensors": save(arrays)}.items():
        (place / name).write_bytes(content)
    rewrite(place, lambda manifest: manifest["head"].update(input_channels=16))


ARCHITECTURE = ("head", "architecture")

ATTACKS = {
    "nothing": (content(b""), BadManifestError),
    "no JSON": (content(b"kind: head"), BadManifestError),
    "no UTF-8": (content(b"\xff\xfe\x00"), BadManifestError),
    "a list": (content(b"[]"), BadManifestError),
    "a hundred thousand brackets": (content(b"[" * 100_000), BadManifestError),
    "brackets in a field": (
        content(b'{"schema_version": 1, "metrics": ' + b'{"a":' * 100_000),
        BadManifestError,
    ),
    "two megabytes": (content(b" " * 2**21), TooLargeError),
    "cut off": (twice_the_key, BadManifestError),
    "a number of a million digits": (
        content(b'{"schema_version": ' + b"9" * 1_000_000 + b"}"),
        BadManifestError,
    ),
    "a newer schema": (said("schema_version", to=2), NewerSchemaError),
    "a schema of none": (said("schema_version", to=0), BadManifestError),
    "a schema that is a text": (said("schema_version", to="1"), BadManifestError),
    "a field that nobody knows": (said("run", to="import os"), BadManifestError),
    "another kind": (said("kind", to="network"), BadManifestError),
    "a file outside": (
        said("files", to={"../../x": {"size": 0, "sha256": "0" * 64}}),
        BadManifestError,
    ),
    "a size below zero": (said("files", "README.md", "size", to=-1), BadManifestError),
    "NaN": (content(b'{"schema_version": 1, "metrics": {"accuracy": NaN}}'), BadManifestError),
    "too few classes": (said("class_names", to=["a"]), BadManifestError),
    "another interface": (said("interface", to=[None, None, 9]), BadManifestError),
    "a line break in a name": (said("class_names", to=["a", "b\n# owned"]), BadManifestError),
    "a text that turns around": (said("class_names", to=["a", "b\u202e"]), BadManifestError),
    "a terminal's escape in a name": (said("licence", to="\x9b31m"), BadManifestError),
    "a number of four thousand digits": (
        content(b'{"schema_version": 1, "head": {"architecture": {"depth": ' + b"9" * 4000),
        BadManifestError,
    ),
    "a split of nobody among thousands": (
        said(
            *ARCHITECTURE,
            to={"name": "wide_resnet", "arguments": {"blocks_per_stage": 4096}, "split": "x"},
        ),
        UnknownArchitectureError,
    ),
    "a head that does not fit its extractor": (misfit, BadManifestError),
    "an architecture of nobody": (
        said(*ARCHITECTURE, "name", to="os.system"),
        UnknownArchitectureError,
    ),
    "an argument of nobody": (
        said(*ARCHITECTURE, "arguments", to={"command": 1}),
        UnknownArchitectureError,
    ),
    "a split of nobody": (said(*ARCHITECTURE, "split", to="stage9"), UnknownArchitectureError),
    "a normalization of nobody": (
        said("head", "normalization", to="pickle"),
        UnknownArchitectureError,
    ),
}

if __name__ == "__main__":
    run(ATTACKS)
