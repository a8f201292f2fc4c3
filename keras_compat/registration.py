"""Lazy registration with Keras: it finds our classes by name before their modules are imported."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

PACKAGE = "keras_compat"
REGISTERED = {
    "BatchStatisticsNormalization": "layers.batch_statistics_normalization",
    "ChannelPadding": "layers.channel_padding",
    "UnitLength": "layers.unit_length",
    "SeededHeNormal": "networks.initializers",
    "Augmentation": "layers.augmentation",
    "RoundOptimizer": "training.round_optimizer",
    "Trainer": "training.trainer",
}
"""Names of the registered classes, with the module of each."""


class _Later:
    """Placeholder for a class in Keras' registry; on first use it imports the class's module."""

    def __init__(self, name: str):
        self._name = name

    def _imported(self) -> type:
        return getattr(import_module(f"{PACKAGE}.{REGISTERED[self._name]}"), self._name)

    def __getattr__(self, name: str) -> Any:
        if name == "_name":  # `copy` asks before it is set
            raise AttributeError(name)
        return getattr(self._imported(), name)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return self._imported()(*arguments, **keywords)


class _WithKeras:
    """Import hook that registers the names when Keras is imported."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Returns the spec of Keras from the other finders, with registration after its import."""
        if name != "keras":
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        found = (finder.find_spec(name, path, target) for finder in others)
        spec = next((spec for spec in found if spec is not None), None)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def run_and_register(module: ModuleType) -> None:
                run(module)
                _register(module)

            spec.loader.exec_module = run_and_register
        return spec


def register() -> None:
    """Registers placeholders for this package's classes with Keras, now or when it is imported.

    Example:

    >>> import keras
    >>> register()
    >>> layer = keras.layers.deserialize(
    ...     {
    ...         "class_name": "UnitLength",
    ...         "registered_name": "keras_compat>UnitLength",
    ...         "module": "keras_compat.layers.unit_length",
    ...         "config": {"name": "unit"},
    ...     }
    ... )
    >>> type(layer).__name__
    'UnitLength'
    """
    keras = sys.modules.get("keras")
    if keras is not None and hasattr(keras, "saving"):
        _register(keras)
    elif not any(isinstance(finder, _WithKeras) for finder in sys.meta_path):
        sys.meta_path.insert(0, _WithKeras())


def _register(keras: ModuleType) -> None:
    known = keras.saving.get_custom_objects()
    for name in REGISTERED:
        known.setdefault(f"{PACKAGE}>{name}", _Later(name))
