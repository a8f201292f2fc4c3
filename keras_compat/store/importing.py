"""A user's own `.keras` files, to be published."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import keras

from keras_compat import layers as _layers  # noqa: F401 registers the layers that files may hold
from keras_compat.errors import InputError

_MEMBERS = {"config.json", "metadata.json", "model.weights.h5"}
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
# By what Keras looks a class up: the module and the name, or the registered name.
ALLOWED = frozenset(
    {
        ("keras.src.models.functional", "Functional"),
        ("keras", "DTypePolicy"),
        (None, "__keras_tensor__"),
        (None, "__tuple__"),
        *(("keras.layers", name) for name in _KERAS_LAYERS),
        *(("keras.initializers", name) for name in _INITIALIZERS),
        *(("keras_compat", name) for name in _OURS),
    }
)


def load_keras_file(path: str | Path) -> keras.Model:
    """Loads a user's own model, if it is made of layers on a list, and without its compilation.

    The list holds what the registry's architectures are made of, no layer that runs code of its
    own. It is no sandbox: of a model that is not yours, ask for a component instead.

    Args:
        path: a `.keras` file.

    Raises:
        InputError: if it is no such file, or holds something that is not on the list.

    Source: https://keras.io/guides/serialization_and_saving.

    Example:

    >>> load_keras_file("no/such.keras")
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: 'no/such.keras' is no .keras file (...); ...
    """
    path = expanded(path)
    for used in sorted(_classes(_config(path)), key=str):
        if used not in ALLOWED:
            named = ".".join(str(part) for part in used if part)
            raise InputError(
                f"{str(path)!r} holds {named[:100]!r}, which is not on the list of layers that are "
                "loaded; expected a model that this package built"
            )
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    # Keras raises whatever a broken file leads it to.
    except Exception as error:
        told = " ".join(str(error).split())[:200]
        raise InputError(f"{str(path)!r} cannot be loaded ({told}); write it again") from None


def expanded(path: str | Path) -> Path:
    """Returns a path with the home folder in the place of `~`.

    Raises:
        InputError: if there is no such home.

    Example:

    >>> str(expanded("a/b"))
    'a/b'
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(f"{str(path)!r} cannot be found: {error}") from None


def _config(path: Path) -> Any:
    """Returns the configuration in a `.keras` file, of which nothing is run."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = {member.filename: member for member in archive.infolist()}
            if set(members) != _MEMBERS:
                raise ValueError(f"it holds {sorted(members)[:5]}, not {sorted(_MEMBERS)}")
            # Keras does not compress; what is compressed can be a million times as large.
            if any(member.compress_type != zipfile.ZIP_STORED for member in members.values()):
                raise ValueError("it is compressed, which Keras does not do")
            if members["config.json"].file_size > _LARGEST_CONFIG:
                raise ValueError(f"its config.json has more than {_LARGEST_CONFIG} bytes")
            return json.loads(archive.read("config.json"))
    except OSError as error:
        raise _no_keras_file(path, error.strerror or str(error)) from None
    # An archive that is encrypted is a RuntimeError.
    except (ValueError, RuntimeError, zipfile.BadZipFile) as error:
        raise _no_keras_file(path, str(error)) from None


def _no_keras_file(path: Path, why: str) -> InputError:
    return InputError(
        f"{str(path)!r} is no .keras file ({' '.join(why.split())[:200]}); expected what "
        "model.save('NAME.keras') writes"
    )


def _classes(config: Any) -> set[tuple[str | None, str]]:
    """Returns all that a configuration names to be made: module, or package, and class."""
    found: set[tuple[str | None, str]] = set()
    waiting = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, dict):
            waiting.extend(value.values())
            if "class_name" in value:
                found.add((_module(value), str(value["class_name"])))
    return found


def _module(value: dict[str, Any]) -> str | None:
    """The module that Keras takes a class from, or `"keras_compat"` for one that we registered."""
    module = value.get("module")
    ours = value.get("registered_name") == f"keras_compat>{value['class_name']}"
    # Where a registered name is unknown Keras imports the module, so that both have to be ours.
    if ours and str(module).startswith("keras_compat."):
        return "keras_compat"
    return module if module is None else str(module)
