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
from tests.attacks.archives import refused
from tests.attacks.harness import changed, rewrite, said


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
DEEP = {"name": "wide_resnet", "arguments": {"blocks_per_stage": 4096}, "split": "x"}
BRACKETS = b'{"schema_version": 1, "metrics": ' + b'{"a":' * 100_000
DIGITS = b'{"schema_version": 1, "head": {"architecture": {"depth": ' + b"9" * 4000

ATTACKS = {
    **refused(
        BadManifestError,
        {
            "nothing": content(b""),
            "no JSON": content(b"kind: head"),
            "no UTF-8": content(b"\xff\xfe\x00"),
            "a list": content(b"[]"),
            "a hundred thousand brackets": content(b"[" * 100_000),
            "brackets in a field": content(BRACKETS),
            "cut off": twice_the_key,
            "a number of a million digits": content(b'{"schema_version": ' + b"9" * 10**6 + b"}"),
            "a number of four thousand digits": content(DIGITS),
            "NaN": content(b'{"schema_version": 1, "metrics": {"accuracy": NaN}}'),
            "a schema of none": said("schema_version", to=0),
            "a schema that is a text": said("schema_version", to="1"),
            "a field that nobody knows": said("run", to="import os"),
            "another kind": said("kind", to="network"),
            "a file outside": said("files", to={"../../x": {"size": 0, "sha256": "0" * 64}}),
            "a size below zero": said("files", "README.md", "size", to=-1),
            "too few classes": said("class_names", to=["a"]),
            "another interface": said("interface", to=[None, None, 9]),
            "a line break in a name": said("class_names", to=["a", "b\n# owned"]),
            "a text that turns around": said("class_names", to=["a", "b\u202e"]),
            "a terminal's escape in a name": said("licence", to="\x9b31m"),
            "a head that does not fit its extractor": misfit,
        },
    ),
    **refused(
        UnknownArchitectureError,
        {
            "a split of nobody among thousands": said(*ARCHITECTURE, to=DEEP),
            "an architecture of nobody": said(*ARCHITECTURE, "name", to="os.system"),
            "an argument of nobody": said(*ARCHITECTURE, "arguments", to={"command": 1}),
            "a split of nobody": said(*ARCHITECTURE, "split", to="stage9"),
            "a normalization of nobody": said("head", "normalization", to="pickle"),
        },
    ),
    "two megabytes": (content(b" " * 2**21), TooLargeError),
    "a newer schema": (said("schema_version", to=2), NewerSchemaError),
}
