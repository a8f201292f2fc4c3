"""A cell: one training of a group of networks, and what a study asks of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, NamedTuple

from keras_compat.methods import IIW, INDEPENDENT


@dataclass(frozen=True)
class Cell:
    """One training of a group of networks, told from the others of a run.

    Args:
        method: Name of the method, see `keras_compat.methods.parse_method`.
        seed: Seed of weights, orders and augmentation.
        first: Name of the network that is trained first in incremental training (Sec. 3.4);
            `None` trains all jointly.
        same_data: Whether all networks are trained on the first data set (B.2).
        pretrained: Whether networks start from weights that learnt rotation on other images
            (Sec. 4).
        split: Split point, where it is another than the run's (B.3).
        normalization: `"batch"`, `"layer"` or `"instance"` (B.1).
        features: `"plain"`; `"unit_length"` normalizes each feature vector, `"unit_length_loss"`
            adds a loss that pulls it there (B.1).
        common_classes: Number of the common classes that take part in discriminating them (B.4).
        control: Whether, beside `common_classes`, all common classes take part, but only as many
            images as that many classes have.
        variant: Name of a change of training, see `keras_compat.studies.rotation.VARIANTS`.

    Example:

    >>> cell = Cell("iiw+rp", seed=1, split="stage1")
    >>> cell.name, cell.keys()
    ('iiw+rp_split-stage1_seed1', {'method': 'iiw+rp', 'seed': 1, 'split': 'stage1'})
    """

    method: str
    seed: int
    first: str | None = None
    same_data: bool = False
    pretrained: bool = False
    split: str | None = None
    normalization: str = "batch"
    features: str = "plain"
    common_classes: int | None = None
    control: bool = False
    variant: str | None = None

    @property
    def name(self) -> str:
        """Name for its folder, legible and different for different cells."""
        words = [self.method]
        for key, value in self.changes().items():
            words.append(key.replace("_", "-") if value is True else f"{key}-{value}")
        return "_".join(re.sub(r"[^\w+.-]+", "-", word) for word in [*words, f"seed{self.seed}"])

    def changes(self) -> dict[str, Any]:
        """Returns the settings beside method and seed that are not the usual ones."""
        usual = {f.name: f.default for f in fields(self)}
        return {
            name: getattr(self, name)
            for name in usual
            if name not in ("method", "seed") and getattr(self, name) != usual[name]
        }

    def keys(self) -> dict[str, Any]:
        """Returns the keys that the cell's records have in common."""
        keys = {"method": self.method, "seed": self.seed, **self.changes()}
        if self.first is not None:
            keys["scheme"] = "incremental"
        return keys


class Asked(NamedTuple):
    """A cell that a study asks for.

    Attributes:
        measures: Names of measures, see `keras_compat.studies.find_measure`.
        keys: Keys that the cell's records have in this study and need not have in others.
    """

    cell: Cell
    measures: tuple[str, ...] = ("matrix",)
    keys: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Known:
    """Facts of a run by which studies choose their cells.

    Args:
        common: Number of classes that all data sets have in common.
        splits: Points at which all networks can be split, in order.
        own_split: Point at which all networks are split; `None` where they differ.
    """

    networks: Sequence[str]
    common: int
    splits: Sequence[str]
    own_split: str | None
    colour: bool
    architectures: Sequence[str]
    methods: Sequence[str]
    seeds: Sequence[int]

    def possible(self, method: str) -> str:
        """Returns a method, without IIW where the architectures differ."""
        if len(set(self.architectures)) == 1:
            return method
        return "+".join(part for part in method.split("+") if part != IIW) or INDEPENDENT
