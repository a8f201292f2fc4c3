"""Networks on disk, with their auxiliary heads and a description."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from keras_compat.errors import InputError
from keras_compat.experiments.runner.forms import About, checked
from keras_compat.experiments.runner.item_folder import MADE_BY, load_model, sha256
from keras_compat.files import read_json
from keras_compat.networks import check_interface
from keras_compat.store.importing import expanded

_EXTRACTOR, _HEAD = "extractor", "head"


@dataclass(frozen=True)
class StoredNetwork:
    """An extractor with its head, and the auxiliary heads that were trained with them.

    Args:
        extractor: Model from images to features.
        head: Model from features to logits, one for each class.
        auxiliary_heads: Auxiliary heads by task, see `keras_compat.auxiliary.AUXILIARIES`.
        class_names: Names of the head's outputs.
        flippable: Whether a mirrored image keeps its meaning.

    Example:

    >>> from keras_compat import networks
    >>> extractor = networks.build_extractor("resnet8", (16, 16, 1), seed=0)
    >>> head = networks.build_head("resnet8", classes=2, seed=0)
    >>> network = StoredNetwork(extractor, head, {}, ("cat", "dog"), True)
    >>> network.image_shape, sorted(network.models())
    ((16, 16, 1), ['extractor', 'head'])
    """

    extractor: keras.Model
    head: keras.Model
    auxiliary_heads: Mapping[str, keras.Model]
    class_names: tuple[str, ...]
    flippable: bool

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the network's images."""
        return tuple(self.extractor.input_shape[1:])

    def models(self) -> dict[str, keras.Model]:
        """Returns the models by the names of their files."""
        heads = {f"{name}_{_HEAD}": head for name, head in self.auxiliary_heads.items()}
        return {_EXTRACTOR: self.extractor, _HEAD: self.head, **heads}

    def about(self) -> dict[str, Any]:
        """Returns the description that `load_network` needs beside the models."""
        return {
            "class_names": list(self.class_names),
            "photographs": self.flippable,
            "auxiliaries": list(self.auxiliary_heads),
        }


def load_network(path: str | Path) -> StoredNetwork:
    """Loads a network that a run wrote.

    Args:
        path: Folder with `extractor.keras`, `head.keras`, `<task>_head.keras` for each auxiliary
            task, and `made_by.json`. The models are read by `load_keras_file`.

    Raises:
        InputError: if it is not there or not whole, or its parts do not fit.

    Example:

    >>> load_network("no/such/folder")
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: 'no/such/folder' holds no stored network ...
    """
    path = expanded(path)
    expected = f"a folder that an app of keras_compat wrote under networks/, with {MADE_BY}"
    try:
        made_by = read_json(path / MADE_BY, expected)
        found = made_by.get("network") if isinstance(made_by, dict) else None
        about = checked(found, About, f"network in {path / MADE_BY}", expected)
    except InputError as error:
        raise InputError(f"{str(path)!r} holds no stored network ({error})") from None
    class_names = tuple(about["class_names"])

    def load(name: str) -> keras.Model:
        return load_model(path / f"{name}.keras")

    network = StoredNetwork(
        load(_EXTRACTOR),
        load(_HEAD),
        {name: load(f"{name}_{_HEAD}") for name in about["auxiliaries"]},
        class_names,
        about["photographs"],
    )
    for name, model in network.models().items():
        _check_shapes(path / f"{name}.keras", model, images=name == _EXTRACTOR)
    for head in (network.head, *network.auxiliary_heads.values()):
        check_interface(network.extractor, head)
    outputs = network.head.output_shape[-1]
    if outputs != len(class_names):
        raise InputError(
            f"{str(path)!r} has a head of {outputs} outputs and the names of {len(class_names)} "
            "classes; expected as many of one as of the other"
        )
    return network


def fingerprint(path: str | Path) -> dict[str, str]:
    """Returns the SHA-256 of a stored network's files, by their names.

    Raises:
        InputError: if there are none.

    Example:

    >>> fingerprint("no/such/folder")
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: 'no/such/folder' holds no stored network
    """
    files = sorted(expanded(path).glob("*.keras"))
    if not files:
        raise InputError(f"{str(path)!r} holds no stored network")
    try:
        return {file.name: sha256(file) for file in files}
    except OSError as error:
        raise InputError(f"{error.filename} cannot be read ({error.strerror})") from None


def _check_shapes(file: Path, model: keras.Model, images: bool) -> None:
    """Raises an `InputError` unless a model has one input and one output, as parts have."""
    shapes = [getattr(model, f"{end}_shape", None) for end in ("input", "output")]
    ranks = [len(s) if isinstance(s, tuple) and s[:1] == (None,) else 0 for s in shapes]
    if ranks[0] != 4 or ranks[1] < 2 or (images and None in shapes[0][1:]):
        raise InputError(
            f"{str(file)!r} takes {shapes[0]} and gives {shapes[1]}; expected an extractor of "
            "images of one size, or a head on its features"
        )
