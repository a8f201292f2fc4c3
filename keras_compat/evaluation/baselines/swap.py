"""Baseline: the head on the extractor without adaptation."""

from __future__ import annotations

from dataclasses import dataclass

from keras_compat.evaluation.baselines.base import Baseline, Connected, Pair


@dataclass(frozen=True)
class Swap(Baseline):
    """Plain swap with the moving statistics of each part from its own network.

    With batch statistics, the plain swap is the recombination accuracy itself.

    Source: Gygli et al. 2021, B.1.

    Example:

    >>> Swap().needs
    'nothing'
    """

    needs = "nothing"

    def connect(self, pair: Pair) -> Connected:
        return Connected(pair.extractor, pair.target_head, "moving")
