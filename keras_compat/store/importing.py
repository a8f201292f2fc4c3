"""Safe loading of a user's own `.keras` files, to be published."""

from __future__ import annotations

import math
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import keras

from keras_compat.errors import InputError
from keras_compat.files import open_file, parse_json
from keras_compat.store.recipes import unallocated

_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"
_MEMBERS = [_CONFIG, "metadata.json", _WEIGHTS]
_EXPECTED = "what model.save('NAME.keras') writes"
_LARGEST_CONFIG = 2**24
_KERAS_LAYERS = (
    *("Add", "AveragePooling2D", "Concatenate", "Conv2D", "Dense", "DepthwiseConv2D", "Flatten"),
    *("GlobalAveragePooling2D", "GroupNormalization", "Identity", "InputLayer", "MaxPooling2D"),
    *("ReLU", "Rescaling", "ZeroPadding2D"),
)
_INITIALIZERS = (
    *("GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "Ones", "VarianceScaling"),
    *("Zeros",),
)
_OURS = ("BatchStatisticsNormalization", "ChannelPadding", "SeededHeNormal", "UnitLength")
_ROOT = ("keras.src.models.functional", "Functional")
# Keras looks a class up by module and name, or by its registered name.
ALLOWED = frozenset(
    {
        _ROOT,
        ("keras", "DTypePolicy"),
        (None, "__keras_tensor__"),
        (None, "__tuple__"),
        *(("keras.layers", name) for name in _KERAS_LAYERS),
        *(("keras.initializers", name) for name in _INITIALIZERS),
        *(("keras_compat", name) for name in _OURS),
    }
)


def load_keras_file(path: str | Path) -> keras.Model:
    """Loads a user's own model, uncompiled, if all of its layers are on a list of allowed layers.

    The list holds the layers of the registry's architectures, none of which runs code from the
    file. This is not a sandbox: from a stranger, ask for a component instead. A private copy is
    checked and loaded, so that both read the same bytes.

    Raises:
        InputError: If the file is not a `.keras` file, or holds something that is not on the list.

    Source: https://keras.io/guides/serialization_and_saving.

    Example:

    >>> load_keras_file("no/such.keras")
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: 'no/such.keras' is no .keras file (...); ...
    """
    path = expanded(path)
    # Keras decides by the name's lower-case suffix whether a file is HDF5, a zip or a folder.
    if path.suffix != ".keras":
        raise _no_keras_file(path, "its name does not end in .keras")
    with _copied(path) as copy:
        config, stored = _checked_content(path, copy)
        for used in sorted(_classes(config, path), key=str):
            if used not in ALLOWED:
                named = ".".join(str(part) for part in used if part)
                raise _not_on_the_list(path, named)
        try:
            wanted = _count(config)
            if wanted > stored:
                raise ValueError(f"its layers take {wanted} numbers, and it holds {stored}")
            return keras.saving.load_model(copy, compile=False, safe_mode=True)
        # A broken file can make Keras raise any error.
        except Exception as error:
            told = str(error).replace(str(copy), str(path)) or type(error).__name__
            told = " ".join(told.split())[:200]
            raise InputError(f"{str(path)!r} cannot be loaded ({told}); write it again") from None


def expanded(path: str | Path) -> Path:
    """Returns a path with `~` replaced by the home folder.

    Raises:
        InputError: If there is no such home folder.

    Example:

    >>> str(expanded("a/b"))
    'a/b'
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(f"{str(path)!r} cannot be found: {error}") from None


@contextmanager
def _copied(path: Path) -> Iterator[Path]:
    """Copies a file to a private folder, where nobody else can change it."""
    try:
        with open_file(path) as file, tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, "model.keras")
            with open(copy, "xb") as target:
                shutil.copyfileobj(file, target)
            yield copy
    # A path with a zero byte is a ValueError.
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise _no_keras_file(path, getattr(error, "strerror", None) or str(error)) from None


def _checked_content(path: Path, copy: Path) -> tuple[Any, int]:
    """Returns the configuration in a `.keras` file and the count of numbers in its weights."""
    try:
        with zipfile.ZipFile(copy) as archive:
            members = archive.infolist()
            # Two members of one name are refused: programs differ in which one they read.
            if sorted(member.filename for member in members) != _MEMBERS:
                shown = sorted(member.filename for member in members)[:5]
                raise ValueError(f"it holds {shown}, not {_MEMBERS}")
            # Keras does not compress; a compressed member can expand a million times.
            if any(
                member.compress_type != zipfile.ZIP_STORED
                or member.compress_size != member.file_size
                for member in members
            ):
                raise ValueError("it is compressed, which Keras does not do")
            if sum(member.file_size for member in members) > copy.stat().st_size:
                raise ValueError("its members are larger than itself")
            if archive.getinfo(_CONFIG).file_size > _LARGEST_CONFIG:
                raise ValueError(f"its config.json has more than {_LARGEST_CONFIG} bytes")
            config = parse_json(archive.read(_CONFIG), f"config.json of {str(path)!r}", _EXPECTED)
            if not isinstance(config, dict):
                raise ValueError("its config.json is no dictionary")
            with archive.open(_WEIGHTS) as member, h5py.File(member, "r") as weights:
                return config, _numbers(weights)
    except InputError:
        raise
    # An encrypted archive raises RuntimeError; h5py raises errors of many classes.
    except Exception as error:
        raise _no_keras_file(path, str(error) or type(error).__name__) from None


def _numbers(weights: h5py.File) -> int:
    """Returns the count of numbers in an HDF5 file; refuses links and external storage."""
    numbers = 0

    def fault(name: str, link: Any) -> str | None:
        nonlocal numbers
        if not isinstance(link, h5py.HardLink):
            return f"{name!r} in its weights is a link"
        found = weights[name]
        if isinstance(found, h5py.Group):
            return None
        # Keras writes bfloat16 as "V"; records are "V" too, and can hold references.
        plain = isinstance(found, h5py.Dataset) and found.dtype.kind in "biufV"
        if not plain or found.shape is None or found.dtype.names:
            return f"{name!r} in its weights holds no numbers"
        if found.external or found.is_virtual:
            return f"{name!r} in its weights lies in another file"
        size = math.prod(found.shape)
        if found.id.get_storage_size() < size * found.dtype.itemsize:
            return f"{name!r} in its weights is larger than what is stored of it"
        numbers += size
        return None

    # Visits links without following them: a link can lead to a pipe, which never ends.
    wrong = weights.visititems_links(fault)
    if wrong:
        raise ValueError(wrong)
    return numbers


def _count(config: dict[str, Any]) -> int:
    """Returns the count of numbers in a model's weights without allocating them."""

    def counted() -> int:
        model = keras.saving.deserialize_keras_object({**config, "compile_config": None})
        return sum(math.prod(variable.shape) for variable in model.variables)

    return unallocated(counted)


def _no_keras_file(path: Path, why: str) -> InputError:
    return InputError(
        f"{str(path)!r} is no .keras file ({' '.join(why.split())[:200]}); expected {_EXPECTED}"
    )


def _not_on_the_list(path: Path, named: str) -> InputError:
    return InputError(
        f"{str(path)!r} holds {named[:100]!r}, which is not on the list of allowed "
        "layers; expected a model that this package built"
    )


def _classes(config: Any, path: Path) -> set[tuple[str | None, str]]:
    """Returns all classes that a configuration names, as pairs of module or package, and name."""
    registered = keras.saving.get_custom_objects()
    found: set[tuple[str | None, str]] = set()
    waiting = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, dict):
            waiting.extend(inner for key, inner in value.items() if key != "registered_name")
            if "class_name" in value:
                used = _looked_up_class(value)
                # A nested model could be compiled, which calls functions that it names.
                found.add(used if used != _ROOT or value is config else (None, "a model within"))
        # Keras replaces a text by the class or function registered under it.
        elif isinstance(value, str) and value in registered:
            raise _not_on_the_list(path, value)
    return found


def _looked_up_class(value: dict[str, Any]) -> tuple[str | None, str]:
    """Returns the module or the package, and the name, under which Keras looks a class up."""
    module, name = value.get("module"), str(value["class_name"])
    registered = value.get("registered_name", name)
    # Keras prefers a registered name to the module; an unknown one falls back to the module.
    if registered == f"keras_compat>{name}" and str(module).startswith("keras_compat."):
        return "keras_compat", name
    if registered not in (None, name) or registered in keras.saving.get_custom_objects():
        name = f"{name} as {registered}"
    return module if module is None else str(module), name
