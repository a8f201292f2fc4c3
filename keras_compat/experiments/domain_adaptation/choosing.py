"""Choice without labels among the ways to adapt, and among their rounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import keras
import numpy as np

from keras_compat import evaluation
from keras_compat.data import Examples, StreamedExamples
from keras_compat.experiments.domain_adaptation.adaptation import Candidate


@dataclass(frozen=True)
class Choice:
    """Adapted extractor among all that were measured.

    Args:
        candidate: Way to adapt.
        rounds: Number of rounds of adaptation.
        score: Score of the choice; more is better.
        weights: Weights of the extractor.
    """

    candidate: Candidate
    rounds: int
    score: float
    weights: list[np.ndarray]

    def told(self) -> dict[str, Any]:
        """Returns everything but the weights, as JSON has it."""
        return {**asdict(self.candidate), "rounds": self.rounds, "score": self.score}

    @classmethod
    def of(cls, told: Mapping[str, Any], weights: list[np.ndarray]) -> Choice:
        """Returns the choice of a dict that `told` returned."""
        candidate = Candidate(told["learning_rate"], told["layers"])
        return cls(candidate, int(told["rounds"]), float(told["score"]), weights)


class Best:
    """Extractor with the highest score; the first of equals, which has adapted least."""

    def __init__(self) -> None:
        self.choice: Choice | None = None

    def offer(
        self, candidate: Candidate, rounds: int, score: float, extractor: keras.Model
    ) -> None:
        """Keeps the weights of an extractor if it is the best so far."""
        if self.choice is None or score > self.choice.score:
            self.choice = Choice(candidate, rounds, score, extractor.get_weights())


def mutual_information(
    extractor: keras.Model,
    head: keras.Model,
    images: Examples | StreamedExamples,
    batch_size: int,
) -> float:
    """Returns the information of a classifier's answers, see `evaluation.mutual_information`.

    Args:
        extractor: Extractor of the classifier.
        head: Head that returns logits.
        images: Images without labels.
        batch_size: Largest number of images in a batch.

    Example:

    >>> extractor = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.AveragePooling2D(4)])
    >>> head = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()])
    >>> images = Examples(np.zeros((4, 8, 8, 1), "uint8"), np.full(4, -1))
    >>> round(mutual_information(extractor, head, images, 4), 6)  # equal images: nothing is said
    0.0
    """
    logits, _ = evaluation.predict_logits(extractor, head, images, batch_size)
    return evaluation.mutual_information(logits)
