"""The line of an auxiliary task in the registry: all that is known before Keras is imported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keras_compat.registry import Lazy

if TYPE_CHECKING:
    from keras_compat.auxiliary.base import Auxiliary
    from keras_compat.data import ImageDataset, UnlabelledImages


@dataclass(frozen=True)
class AuxiliaryEntry(Lazy):
    """An auxiliary task, described for flags, reports and studies.

    Args:
        token: Name of the task in methods, such as `"rp"`; `""` keeps it out of methods.
        has_head: Whether a head makes extractors compatible. A task without one compares features.
        needs_labels: Whether it needs labels of classes that all networks have in common.
        needs_colour: Whether it needs images in colour.
        needs_pairs: Whether it compares two extractors on images that both see.

    Example:

    >>> from keras_compat.auxiliary import AUXILIARIES
    >>> AUXILIARIES["rotation"].token, AUXILIARIES["rotation"].adapts
    ('rp', True)
    """

    token: str = ""
    has_head: bool = True
    needs_labels: bool = False
    needs_colour: bool = False
    needs_pairs: bool = False

    def for_dataset(
        self, dataset: ImageDataset | UnlabelledImages, seed: int | None = None
    ) -> Auxiliary:
        """Returns the task as it suits a data set, see `Auxiliary.for_dataset`."""
        return self.load().for_dataset(dataset, seed=seed)

    @property
    def adapts(self) -> bool:
        """Whether its frozen head can hold features in place on images without labels."""
        return self.has_head and not self.needs_labels

    @property
    def needs(self) -> tuple[str, ...]:
        """Conditions of the task beside images, as help shows them."""
        conditions = {
            "labels of common classes": self.needs_labels,
            "images in colour": self.needs_colour,
            "images that both networks see": self.needs_pairs,
        }
        return tuple(text for text, holds in conditions.items() if holds)
