"""Baseline: the target network itself."""

from __future__ import annotations

from dataclasses import dataclass

from keras_compat.evaluation.baselines.base import Baseline, Connected, Pair


@dataclass(frozen=True)
class TargetNetwork(Baseline):
    """The whole target network on the extractor's data; nothing is recombined.

    A baseline that passes images through both extractors has the target's extractor at hand, so
    this is the accuracy that it must exceed.

    Example:

    >>> TargetNetwork().needs
    "the head's own extractor"
    """

    needs = "the head's own extractor"

    def connect(self, pair: Pair) -> Connected:
        return Connected(pair.target_extractor, pair.target_head)
