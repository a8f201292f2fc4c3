"""Registered names of our layers, which Keras finds without an earlier import of them."""

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
    "Colorization": "auxiliary.colorization",
    "CommonClasses": "auxiliary.common_classes",
    "Contrastive": "auxiliary.contrastive",
    "Exemplar": "auxiliary.exemplar",
    "FeatureMatching": "auxiliary.feature_matching",
    "JigsawPuzzle": "auxiliary.jigsaw",
    "RotationPrediction": "auxiliary.rotation",
    "UnitLengthLoss": "auxiliary.unit_length",
    "RoundOptimizer": "training.round_optimizer",
    "Trainer": "training.trainer",
}
"""Modules of all that is registered with Keras, by the names of the classes."""


class _Later:
    """Stands for a class in Keras' registry until its module, which is imported then, registers it.

    Args:
        name: Name of the class.
    """

    def __init__(self, name: str):
        self._name = name

    def _imported(self) -> type:
        return getattr(import_module(f"{PACKAGE}.{REGISTERED[self._name]}"), self._name)

    def __getattr__(self, name: str) -> Any:
        if name == "_name":  # of a copy that is being made
            raise AttributeError(name)
        return getattr(self._imported(), name)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return self._imported()(*arguments, **keywords)


class _WithKeras:
    """Registers the names as soon as Keras has been imported."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Finds Keras as the other finders do, and adds a step to its import."""
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
    """Makes Keras find this package's classes by their registered names.

    Neither Keras nor a module of this package is imported before it is needed.

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
