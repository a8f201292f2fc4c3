"""What every baseline is given, what it returns, and how much of everything it takes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import keras
import numpy as np

from keras_compat.networks import check_logits

if TYPE_CHECKING:
    from keras_compat.data import Examples, StreamedExamples

# The defaults of all baselines. A map is fitted on the positions of all images, so that there are
# thousands of times as many samples as channels.
IMAGES = 2_048
STATISTICS_BATCH = 512
ANCHORS = 256
STEPS = 500
TRAINING_BATCH = 128
LEARNING_RATE = 0.01


@dataclass(frozen=True)
class Pair:
    """An extractor, and the network whose head it is to get; none of them is changed.

    Args:
        extractor: takes images, float32 `[batch, height, width, channels]` in [0, 255].
        train: the data it was trained on, not its test images.
        class_names: of these data.
        target_extractor: the extractor that `target_head` was trained with.
        target_head: the head to put on `extractor`.
        target_train: the data that the target network was trained on.
        target_class_names: of these data, in the order of the head's logits.
        seed: of what a baseline draws: images, anchors, initial weights, order of the data.
        aliases: more names of the same classes, as for `data.match_classes`.

    Raises:
        InputError: if the head emits probabilities.
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
        """Draws so many of the extractor's images, or all of them if they are fewer."""
        rng = np.random.default_rng(self.seed)
        chosen = rng.choice(len(self.train), min(count, len(self.train)), replace=False)
        return self.train.subset(chosen)


@dataclass(frozen=True)
class Connected:
    """What a baseline makes of a pair, to be evaluated as any extractor and head.

    Args:
        extractor: takes the images of the pair's extractor.
        head: takes what `extractor` emits; its logits are those of the pair's head.
        statistics: `"batch"` or `"moving"`, what to evaluate both with.
    """

    extractor: keras.Model
    head: keras.Model
    statistics: str = "batch"


class Baseline(ABC):
    """A way to put a head on another extractor, after both have been trained.

    A subclass is a frozen dataclass of what it takes; its fields have the defaults above.
    """

    @property
    @abstractmethod
    def needs(self) -> str:
        """What it needs beside the two networks, for tables: `"up to 500 images"`."""

    @abstractmethod
    def connect(self, pair: Pair) -> Connected:
        """Makes the pair fit as well as this baseline can.

        Raises:
            InputError: if the two networks or their data do not allow it.
        """
