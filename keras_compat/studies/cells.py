"""A cell: one training of a group of networks, and what a study asks of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, NamedTuple


@dataclass(frozen=True)
class Cell:
    """What tells one training of a group of networks from the others of a run.

    Args:
        method: see `parse_method`.
        seed: of weights, orders and augmentation.
        first: incremental training (Sec. 3.4): the name of the network that is trained first;
            `None` trains all jointly.
        same_data: all networks are trained on the first data set (B.2).
        pretrained: networks start from weights that learnt rotation on other images (Sec. 4).
        split: another split point than the run's (B.3).
        normalization: another than `"batch"` (B.1): `"layer"` or `"instance"`.
        features: another than `"plain"` (B.1): `"unit_length"` normalizes each feature vector,
            `"unit_length_loss"` adds a loss that pulls it there.
        common_classes: only so many of the common classes take part in discriminating them (B.4).
        control: beside `common_classes`: all common classes take part, but only as many images
            as that many classes have.
        variant: the name of a change of training, see `variants.VARIANTS` beside this file.

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
        """A name for its folder, legible and different for different cells."""
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
    """What a study asks for.

    Attributes:
        cell: what to train.
        measures: names of measures, see `keras_compat.experiments.compatibility_analysis.measures`.
        keys: what the cell's records say in this study that they need not say in others.
    """

    cell: Cell
    measures: tuple[str, ...] = ("matrix",)
    keys: Mapping[str, Any] = MappingProxyType({})
