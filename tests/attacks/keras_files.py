"""Files of models that hold other layers than those of the list, or lead out of themselves."""

from __future__ import annotations

import functools
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from keras_compat import networks
from keras_compat.store.importing import load_keras_file
from tests.attacks.archives import compressed, contents, packed, refused

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
BOMB = 2**40

Attack = Callable[[Path], Path | None]
"""Changes a good file; returns the path to load, if it is another."""


def make_model() -> keras.Model:
    return networks.build_head(
        "resnet8:filters=4@stage2", input_channels=8, classes=2, seed=0, name="head"
    )


@functools.cache
def _good() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        make_model().save(Path(folder, "good.keras"))
        return Path(folder, "good.keras").read_bytes()


def make_file(folder: Path) -> Path:
    """Writes a good file."""
    path = folder / "good.keras"
    path.write_bytes(_good())
    return path


def changed(change: Callable[[dict[str, bytes]], dict[str, bytes]]) -> Attack:
    """The members are others."""

    def attack(path: Path) -> None:
        path.write_bytes(packed(change(contents(path))))

    return attack


def more(path: Path, members: dict[str, bytes]) -> None:
    """Adds members to an archive, or an archive to a file."""
    with zipfile.ZipFile(path, "a") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def config(change: Callable[[dict[str, Any]], object]) -> Attack:
    """The configuration is another; what `change` returns takes its place."""

    def attack(content: dict[str, bytes]) -> dict[str, bytes]:
        found = json.loads(content[CONFIG])
        return {**content, CONFIG: json.dumps(change(found) or found).encode()}

    return changed(attack)


def text(data: bytes) -> Attack:
    """The configuration is a text that is no dictionary of Keras."""

    return changed(lambda content: {**content, CONFIG: data})


def weights(change: Callable[[h5py.File], object]) -> Attack:
    """The HDF5 file of the weights is another."""

    def attack(content: dict[str, bytes]) -> dict[str, bytes]:
        file = io.BytesIO(content[WEIGHTS])
        with h5py.File(file, "a") as opened:
            change(opened)
        return {**content, WEIGHTS: file.getvalue()}

    return changed(attack)


def layer(found: dict[str, Any], kind: str = "ReLU") -> dict[str, Any]:
    return next(one for one in found["config"]["layers"] if one["class_name"] == kind)


def renamed(name: str) -> Attack:
    def attack(path: Path) -> Path:
        return path.rename(path.with_name(name))

    return attack


def polyglot(name: str) -> Attack:
    """HDF5 with another model, and a zip behind it with a good one."""

    def attack(path: Path) -> Path:
        target = path.with_name(name)
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dropout(0.5)])
        model.save(path.with_name("other.h5"))
        path.with_name("other.h5").rename(target)
        more(target, contents(path))
        return target

    return attack


def unpacked(path: Path) -> Path:
    folder = path.with_name("folder.keras")
    folder.mkdir()
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    return folder


def pipe(path: Path) -> Path:
    os.mkfifo(path.with_name("pipe.keras"))
    return path.with_name("pipe.keras")


def twice(name: str) -> Attack:
    return lambda path: more(path, {name: contents(path)[name]})


def dense_within(found: dict[str, Any], **keys: Any) -> None:
    layer(found)["config"]["more"] = {"class_name": "Dense", "config": {"units": 1}, **keys}


def within(kind: str) -> Callable[[dict[str, Any]], None]:
    def change(found: dict[str, Any]) -> None:
        one = layer(found, "Conv2D")
        inner = dict(one)
        one.update(class_name=kind, module="keras.layers", registered_name=None)
        one["config"] = {"name": one["name"], "layer": inner}

    return change


def model_within(found: dict[str, Any]) -> None:
    inner = json.loads(json.dumps(found))
    inner["compile_config"] = {"optimizer": "sgd", "loss": "mse"}
    found["config"]["layers"].append({**inner, "name": "inner", "inbound_nodes": []})


def first_kernel(put: Callable[[h5py.Group, str, tuple[int, ...]], object]) -> Attack:
    """`put` writes something else in the place of the first array, which had a shape."""

    def change(file: h5py.File) -> None:
        found: list[h5py.Dataset] = []
        file.visititems(lambda _, one: found.append(one) if isinstance(one, h5py.Dataset) else None)
        group, name, shape = found[0].parent, found[0].name, found[0].shape
        del file[name]
        put(group, name, shape)

    return weights(change)


def link(target: Any) -> Attack:
    return first_kernel(lambda group, name, shape: group.__setitem__(name, target))


def external(group: h5py.Group, name: str, shape: tuple[int, ...]) -> None:
    size = int(np.prod(shape)) * 4
    group.create_dataset(name, shape, "float32", external=[("/etc/passwd", 0, size)])


def virtual(group: h5py.Group, name: str, shape: tuple[int, ...]) -> None:
    layout = h5py.VirtualLayout(shape, "float32")
    layout[...] = h5py.VirtualSource("/etc/passwd", "x", shape)
    group.create_virtual_dataset(name, layout)


def sparse(group: h5py.Group, name: str, shape: tuple[int, ...]) -> None:
    group.create_dataset(name, (BOMB,), "float32", chunks=(2**20,), compression="gzip")


def texts(group: h5py.Group, name: str, shape: tuple[int, ...]) -> None:
    group.create_dataset(name, data=["x"], dtype=h5py.string_dtype())


def wider(found: dict[str, Any]) -> None:
    layer(found, "Conv2D")["config"]["filters"] += 1


def other_layer(kind: str, **keys: Any) -> Attack:
    """The configuration of the first layer of a kind says something else."""
    return config(lambda found: layer(found, kind)["config"].update(keys))


OTHER_CODE = {
    "os.system": {"class_name": "system", "module": "os"},
    "builtins.function": {"class_name": "function", "config": "eval", "module": "builtins"},
    "os.ReLU": {"class_name": "ReLU", "module": "os"},
    "keras.layers.TFSMLayer": {"class_name": "TFSMLayer", "module": "keras.layers"},
    "evil.X": {"class_name": "X", "module": "evil", "registered_name": "keras_compat>X"},
    "evil.UnitLength": {
        "class_name": "UnitLength",
        "module": "evil",
        "registered_name": "keras_compat>UnitLength",
    },
}
REGISTERED = {"module": "keras.layers", "registered_name": "keras_compat>RoundOptimizer"}
FUNCTION = {"class_name": "function", "config": "relu", "module": "builtins"}
LAMBDA = {"class_name": "__lambda__", "config": {"value": ["", None, None]}}
ANOTHER = {"class_name": "X", "config": {}}
LOSS = {"loss": {"class_name": "system", "module": "os", "config": {}}}

ATTACKS: dict[str, tuple[Attack, str]] = {
    **{
        f"other code: {name}": (other_layer("ReLU", activation=entry), name)
        for name, entry in OTHER_CODE.items()
    },
    **{
        f"no .keras file: {content!r}": (
            lambda path, content=content: path.write_bytes(content) and None,
            "is no .keras file",
        )
        for content in (b"", b"PK\3\4", b"\x89HDF\r\n\x1a\n")
    },
    **refused(
        "does not end in .keras",
        {
            "HDF5 that is a zip too": polyglot("x.h5"),
            "the same as .hdf5": polyglot("x.hdf5"),
            "a zip named .h5": renamed("x.h5"),
            "a zip named .weights.h5": renamed("x.weights.h5"),
            "a zip named in upper case": renamed("x.KERAS"),
            "a zip without a suffix": renamed("keras"),
        },
    ),
    **refused(
        "not on the list",
        {
            "a layer around another": config(within("TimeDistributed")),
            "a layer with two others": config(within("Bidirectional")),
            "a model in a model": config(model_within),
            "a layer by a registered name": config(lambda c: dense_within(c, **REGISTERED)),
            "a layer of a module of Keras": config(
                lambda c: dense_within(c, module="keras.src.layers")
            ),
            "a layer of no module": config(lambda c: dense_within(c)),
            "a class by its text": other_layer("ReLU", more="keras_compat>UnitLength"),
            "a function": other_layer("ReLU", activation=FUNCTION),
            "code": other_layer("ReLU", more=LAMBDA),
            "an initializer of another module": config(
                lambda c: layer(c, "Conv2D")["config"]["kernel_initializer"].update(module="os")
            ),
            "a loss of another module": config(lambda c: c.update(compile_config=LOSS)),
            "a shape that names a class": config(
                lambda c: layer(c, "Conv2D")["build_config"].update(more=ANOTHER)
            ),
        },
    ),
    "compressed": (compressed, "compressed"),
    "weights that do not fit": (config(wider), "cannot be loaded"),
    "a folder named .keras": (unpacked, "no plain file"),
    "a pipe": (pipe, "no plain file"),
    "the configuration twice": (twice(CONFIG), "it holds"),
    "the weights twice": (twice(WEIGHTS), "it holds"),
    "a file for a layer": (lambda path: more(path, {"assets/x/run.py": b""}), "it holds"),
    "no JSON": (text(b"{"), "is not JSON"),
    "a list": (text(b"[]"), "no dictionary"),
    "a hundred thousand brackets": (text(b"[" * 100_000 + b"]" * 100_000), "nested too deep"),
    "nested in objects": (text(b'{"a":' * 600 + b"1" + b"}" * 600), "nested too deep"),
    "JSON in UTF-16": (text('{"class_name": "Dense"}'.encode("utf-16")), "not UTF-8"),
    "a layer of a trillion weights": (other_layer("Dense", units=BOMB), "its layers take"),
    "a link in the weights": (link(h5py.SoftLink("/layers")), "is a link"),
    "a link to another file": (link(h5py.ExternalLink("/etc/passwd", "/x")), "is a link"),
    "numbers in another file": (first_kernel(external), "in another file"),
    "numbers of another file's": (first_kernel(virtual), "in another file"),
    "a terabyte of numbers": (first_kernel(sparse), "larger than what is stored"),
    "texts for numbers": (first_kernel(texts), "holds no numbers"),
    "weights that are no HDF5": (changed(lambda c: {**c, WEIGHTS: b"no"}), "no .keras file"),
}


def attempt(folder: Path, attack: Attack) -> None:
    """Attacks a good file and loads it."""
    path = make_file(folder)
    load_keras_file(attack(path) or path)
