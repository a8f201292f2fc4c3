"""The head stays with its own extractor."""

from __future__ import annotations

from dataclasses import dataclass

from keras_compat.evaluation.baselines.base import Baseline, Connected, Pair


@dataclass(frozen=True)
class TargetNetwork(Baseline):
    """The whole target network on the images of the extractor's data; nothing is recombined.

    What passes images through both extractors has the target's own at hand, so that this is what
    it has to beat.

    Example:

    >>> TargetNetwork().needs
    "the head's own extractor"
    """

    @property
    def needs(self) -> str:
        return "the head's own extractor"

    def connect(self, pair: Pair) -> Connected:
        return Connected(pair.target_extractor, pair.target_head)
