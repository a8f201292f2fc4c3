"""Input, output and default sizes of all baselines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from keras_compat.data import Examples, StreamedExamples
from keras_compat.networks import check_logits

# Defaults of all baselines. A map is fitted on all positions of all images, thousands of times as
# many samples as channels.
IMAGES = 2_048
STATISTICS_BATCH = 512
ANCHORS = 256
STEPS = 500
TRAINING_BATCH = 128
LEARNING_RATE = 0.01


@dataclass(frozen=True)
class Pair:
    """An extractor and the target network, whose head it is combined with; both stay unchanged.

    Args:
        extractor: Model from images, float32 `[batch, height, width, channels]` in [0, 255].
        target_extractor: Extractor that `target_head` was trained with.
        target_head: Head to combine with `extractor`.
        target_class_names: Class names of `target_train`, in the order of the head's logits.
        seed: Seed of a baseline's images, anchors, initial weights and order of the data.
        aliases: More names of the same classes, see `data.match_classes`.

    Raises:
        InputError: If the head returns probabilities.
    """

    extractor: keras.Model
    train: Examples | StreamedExamples
    class_names: Sequence[str]
    target_extractor: keras.Model
    target_head: keras.Model
    target_train: Examples | StreamedExamples
    target_class_names: Sequence[str]
    seed: int = 0
    aliases: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        check_logits(self.target_head)

    def draw(self, count: int) -> Examples | StreamedExamples:
        """Returns at most `count` training examples of the extractor, drawn at random."""
        rng = np.random.default_rng(self.seed)
        chosen = rng.choice(len(self.train), min(count, len(self.train)), replace=False)
        return self.train.subset(chosen)


@dataclass(frozen=True)
class Connected:
    """Result of a baseline: an extractor and a head that fit each other.

    Args:
        extractor: Model from the images of the pair's extractor.
        head: Model from features of `extractor` to the logits of the pair's head.
        statistics: Mode of normalization for evaluation, `"batch"` or `"moving"`.
    """

    extractor: keras.Model
    head: keras.Model
    statistics: str = "batch"


class Baseline(ABC):
    """Way to combine a trained head with another trained extractor.

    A subclass is a frozen dataclass; its fields are the sizes of its data and training.
    """

    @property
    @abstractmethod
    def needs(self) -> str:
        """Needs beside the two networks, for tables, such as `"up to 500 images"`."""

    @abstractmethod
    def connect(self, pair: Pair) -> Connected:
        """Returns an extractor and a head made from a pair.

        Raises:
            InputError: If the baseline does not apply to the networks or their data.
        """
