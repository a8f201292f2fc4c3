"""A store of components: publish, find, verify, load and recombine them.

Names that need Keras are imported on first use. In all files, the argument `what` is the name of a
component, or of one of its files, for messages.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from keras_compat.store.library import Entry, Fault, Store
from keras_compat.store.manifest import Manifest, read_manifest
from keras_compat.store.names import Reference
from keras_compat.store.package import Package

_WITH_KERAS = {
    "Component": "packing",
    "auxiliary_record": "packing",
    "load": "packing",
    "pack": "packing",
    "unpack": "packing",
}

__all__ = ["Entry", "Fault", "Manifest", "Package", "Reference", "Store", "read_manifest"]
__all__ += sorted(_WITH_KERAS)


def __getattr__(name: str) -> Any:
    if name not in _WITH_KERAS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WITH_KERAS[name]}"), name)
