"""Auxiliary tasks, whose shared or frozen head makes extractors compatible (Sec. 3).

To add one: a file with a subclass of `Auxiliary`, and one line in `AUXILIARIES`. Flags, reports and
studies take all else from that line. The classes are imported when they are first used.
"""

from __future__ import annotations

from typing import Any

from keras_compat.auxiliary.entry import AuxiliaryEntry
from keras_compat.registration import REGISTERED
from keras_compat.registry import Lazy, Registry

AUXILIARIES: Registry[AuxiliaryEntry] = Registry("auxiliary task")
_CLASSES = {"Auxiliary": Lazy(f"{__name__}.base:Auxiliary", "the base of all tasks")}


def _add(name: str, place: str, token: str, meaning: str, **facts: bool) -> None:
    entry = AuxiliaryEntry(f"{__name__}.{place}", meaning, token, **facts)
    AUXILIARIES.register(name)(entry)
    module, _, class_name = place.partition(":")
    _CLASSES[class_name] = entry
    # Keras then finds the class without an earlier import of its module.
    REGISTERED[class_name] = f"auxiliary.{module}"


_add("rotation", "rotation:RotationPrediction", "rp", "a shared head predicts rotation")
_add(
    "common_classes",
    "common_classes:CommonClasses",
    "dcc",
    "a shared head discriminates the common classes",
    needs_labels=True,
)
_add(
    "jigsaw",
    "jigsaw:JigsawPuzzle",
    "jigsaw",
    "a shared head tells in which order the tiles of an image are",
)
_add(
    "relative_patch",
    "relative_patch:RelativePatchLocation",
    "relative_patch",
    "a shared head predicts where a patch was, seen from the middle one",
)
_add(
    "colorization",
    "colorization:Colorization",
    "colorization",
    "a shared head predicts the colours of grey images",
    needs_colour=True,
)
_add(
    "exemplar",
    "exemplar:Exemplar",
    "exemplar",
    "two views of an image are to have closer features than views of two images",
)
_add(
    "contrastive",
    "contrastive:Contrastive",
    "contrastive",
    "as exemplar, against all images of a batch at once",
)
_add(
    "unit_length",
    "unit_length:UnitLengthLoss",
    "",
    "a loss pulls feature vectors to unit length",
    has_head=False,
)
_add(
    "matching",
    "feature_matching:FeatureMatching",
    "fm",
    "extractors learn to emit the same features for the same images, in two more steps a round "
    "that each takes, on each other's images too; not in the paper",
    has_head=False,
    needs_pairs=True,
)

__all__ = ["AUXILIARIES", "AuxiliaryEntry", *_CLASSES]


def __getattr__(name: str) -> Any:
    if name not in _CLASSES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _CLASSES[name].load()
