"""Files of models that hold other layers than those of the list, or lead out of themselves."""

from __future__ import annotations

import functools
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
from tests.attacks.running import run_all

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


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path: Path, content: dict[str, bytes], mode: str = "w") -> None:
    with zipfile.ZipFile(path, mode) as archive:
        for name, data in content.items():
            archive.writestr(name, data)


def config(change: Callable[[dict[str, Any]], object]) -> Attack:
    """The configuration is another; what `change` returns takes its place."""

    def attack(path: Path) -> None:
        content = members(path)
        found = json.loads(content[CONFIG])
        content[CONFIG] = json.dumps(change(found) or found).encode()
        write(path, content)

    return attack


def text(data: bytes) -> Attack:
    """The configuration is a text that is no dictionary of Keras."""

    def attack(path: Path) -> None:
        write(path, {**members(path), CONFIG: data})

    return attack


def weights(change: Callable[[h5py.File], object]) -> Attack:
    """The HDF5 file of the weights is another."""

    def attack(path: Path) -> None:
        content = members(path)
        file = path.with_suffix(".h5")
        file.write_bytes(content[WEIGHTS])
        with h5py.File(file, "a") as opened:
            change(opened)
        write(path, {**content, WEIGHTS: file.read_bytes()})

    return attack


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
        write(target, members(path), "a")
        return target

    return attack


def unpacked(path: Path) -> Path:
    folder = path.with_name("folder.keras")
    folder.mkdir()
    for name, data in members(path).items():
        (folder / name).write_bytes(data)
    return folder


def pipe(path: Path) -> Path:
    os.mkfifo(path.with_name("pipe.keras"))
    return path.with_name("pipe.keras")


def twice(name: str) -> Attack:
    def attack(path: Path) -> None:
        write(path, {name: members(path)[name]}, "a")

    return attack


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


def first_kernel(file: h5py.File) -> tuple[h5py.Group, str]:
    found: list[str] = []
    file.visititems(lambda name, one: found.append(name) if isinstance(one, h5py.Dataset) else None)
    group, _, name = found[0].rpartition("/")
    return file[group], name


def link(target: Any) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        group, name = first_kernel(file)
        del group[name]
        group[name] = target

    return change


def external(file: h5py.File) -> None:
    group, name = first_kernel(file)
    shape = group[name].shape
    del group[name]
    size = int(np.prod(shape)) * 4
    group.create_dataset(name, shape, "float32", external=[("/etc/passwd", 0, size)])


def virtual(file: h5py.File) -> None:
    group, name = first_kernel(file)
    layout = h5py.VirtualLayout(group[name].shape, "float32")
    layout[...] = h5py.VirtualSource("/etc/passwd", "x", group[name].shape)
    del group[name]
    group.create_virtual_dataset(name, layout)


def sparse(file: h5py.File) -> None:
    group, name = first_kernel(file)
    del group[name]
    group.create_dataset(name, (BOMB,), "float32", chunks=(2**20,), compression="gzip")


def texts(file: h5py.File) -> None:
    group, name = first_kernel(file)
    del group[name]
    group.create_dataset(name, data=["x"], dtype=h5py.string_dtype())


def compressed(path: Path) -> None:
    content = members(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)


def wider(found: dict[str, Any]) -> None:
    layer(found, "Conv2D")["config"]["filters"] += 1


LIST = "not on the list"
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

ATTACKS: dict[str, tuple[Attack, str]] = {
    **{
        f"other code: {name}": (
            config(lambda c, entry=entry: layer(c)["config"].update(activation=entry)),
            name,
        )
        for name, entry in OTHER_CODE.items()
    },
    **{
        f"no .keras file: {content!r}": (
            lambda path, content=content: path.write_bytes(content) and None,
            "is no .keras file",
        )
        for content in (b"", b"PK\3\4", b"\x89HDF\r\n\x1a\n")
    },
    "compressed": (compressed, "compressed"),
    "weights that do not fit": (config(wider), "cannot be loaded"),
    "HDF5 that is a zip too": (polyglot("x.h5"), "does not end in .keras"),
    "the same as .hdf5": (polyglot("x.hdf5"), "does not end in .keras"),
    "a zip named .h5": (renamed("x.h5"), "does not end in .keras"),
    "a zip named .weights.h5": (renamed("x.weights.h5"), "does not end in .keras"),
    "a zip named in upper case": (renamed("x.KERAS"), "does not end in .keras"),
    "a zip without a suffix": (renamed("keras"), "does not end in .keras"),
    "a folder named .keras": (unpacked, "no plain file"),
    "a pipe": (pipe, "no plain file"),
    "the configuration twice": (twice(CONFIG), "it holds"),
    "the weights twice": (twice(WEIGHTS), "it holds"),
    "a file for a layer": (lambda path: write(path, {"assets/x/run.py": b""}, "a"), "it holds"),
    "no JSON": (text(b"{"), "is not JSON"),
    "a list": (text(b"[]"), "no dictionary"),
    "a hundred thousand brackets": (text(b"[" * 100_000 + b"]" * 100_000), "nested too deep"),
    "nested in objects": (text(b'{"a":' * 600 + b"1" + b"}" * 600), "nested too deep"),
    "JSON in UTF-16": (text('{"class_name": "Dense"}'.encode("utf-16")), "not UTF-8"),
    "a layer around another": (config(within("TimeDistributed")), LIST),
    "a layer with two others": (config(within("Bidirectional")), LIST),
    "a model in a model": (config(model_within), LIST),
    "a layer by a registered name": (
        config(lambda c: dense_within(c, **REGISTERED)),
        LIST,
    ),
    "a layer of a module of Keras": (
        config(lambda c: dense_within(c, module="keras.src.layers")),
        LIST,
    ),
    "a layer of no module": (config(lambda c: dense_within(c)), LIST),
    "a class by its text": (
        config(lambda c: layer(c)["config"].update(more="keras_compat>UnitLength")),
        LIST,
    ),
    "a function": (
        config(lambda c: layer(c)["config"].update(activation=FUNCTION)),
        LIST,
    ),
    "code": (config(lambda c: layer(c)["config"].update(more=LAMBDA)), LIST),
    "an initializer of another module": (
        config(lambda c: layer(c, "Conv2D")["config"]["kernel_initializer"].update(module="os")),
        LIST,
    ),
    "a loss of another module": (
        config(
            lambda c: c.update(
                compile_config={"loss": {"class_name": "system", "module": "os", "config": {}}}
            )
        ),
        LIST,
    ),
    "a shape that names a class": (
        config(
            lambda c: layer(c, "Conv2D")["build_config"].update(
                more={"class_name": "X", "config": {}}
            )
        ),
        LIST,
    ),
    "a layer of a trillion weights": (
        config(lambda c: layer(c, "Dense")["config"].update(units=BOMB)),
        "its layers take",
    ),
    "a link in the weights": (weights(link(h5py.SoftLink("/layers"))), "is a link"),
    "a link to another file": (weights(link(h5py.ExternalLink("/etc/passwd", "/x"))), "is a link"),
    "numbers in another file": (weights(external), "in another file"),
    "numbers of another file's": (weights(virtual), "in another file"),
    "a terabyte of numbers": (weights(sparse), "larger than what is stored"),
    "texts for numbers": (weights(texts), "holds no numbers"),
    "weights that are no HDF5": (
        lambda path: write(path, {**members(path), WEIGHTS: b"no"}),
        "no .keras file",
    ),
}


def attempt(folder: Path, attack: Attack) -> None:
    """Attacks a good file and loads it."""
    path = make_file(folder)
    load_keras_file(attack(path) or path)


if __name__ == "__main__":
    run_all(ATTACKS, attempt)
