"""The head is put on the extractor as it is."""

from __future__ import annotations

from dataclasses import dataclass

from keras_compat.evaluation.baselines.base import Baseline, Connected, Pair


@dataclass(frozen=True)
class Swap(Baseline):
    """The plain swap, with the moving statistics that each part had in its own network.

    With batch statistics it is the recombination accuracy itself.

    Source: Gygli et al. 2021, B.1.

    Example:

    >>> Swap().needs
    'nothing'
    """

    @property
    def needs(self) -> str:
        return "nothing"

    def connect(self, pair: Pair) -> Connected:
        return Connected(pair.extractor, pair.target_head, "moving")
