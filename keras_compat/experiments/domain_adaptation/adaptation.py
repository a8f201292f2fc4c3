"""Adapts an extractor to images without labels in several ways, and chooses one (Sec. 5.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_compat import evaluation
from keras_compat.data import Examples, StreamedExamples, UnlabelledImages, stratified_split
from keras_compat.experiments.auxiliaries import make_augmentation, make_auxiliary
from keras_compat.experiments.domain_adaptation.settings import Settings
from keras_compat.experiments.runner.checkpointing import Gathered
from keras_compat.experiments.stored_network import StoredNetwork
from keras_compat.experiments.training import train
from keras_compat.layers import normalization_layers
from keras_compat.networks import copy_model
from keras_compat.training import AuxiliaryHead, NonFiniteLoss, Task, Trainer

TASK = "target"


@dataclass(frozen=True)
class Candidate:
    """One way to adapt.

    Args:
        learning_rate: Highest learning rate.
        layers: Name of the extractor's layers that learn, see `let_learn`.
    """

    learning_rate: float
    layers: str


def candidates(config: Settings) -> list[Candidate]:
    """Returns the ways to choose among."""
    rates = dict.fromkeys([config.adaptation.learning_rate, *config.learning_rates])
    return [Candidate(rate, layers) for layers in config.layers for rate in rates]


def published(config: Settings) -> Candidate:
    """Returns the paper's way: all layers, at the rate of `config.adaptation`.

    This way is not among the candidates if only some layers may learn.
    """
    return Candidate(config.adaptation.learning_rate, "all")


def hold_out(
    config: Settings, images: UnlabelledImages, seed: int
) -> tuple[Examples | StreamedExamples, Examples | StreamedExamples]:
    """Returns the images to adapt to, and the held-out ones that the loss is measured on."""
    labels = images.images.labels
    held_out, learnt = stratified_split(
        labels, [config.held_out, 1 - config.held_out], 1000 * seed + 801
    )
    return images.images.subset(learnt), images.images.subset(held_out)


def adapt(
    config: Settings,
    seed: int,
    network: StoredNetwork,
    images: UnlabelledImages,
    candidate: Candidate,
    last_good: Path,
    at_checkpoint: Callable[[int, float, keras.Model], None],
    gathered: Gathered | None = None,
) -> None:
    """Adapts a copy of a network's extractor: it learns its auxiliary tasks on the target.

    `at_checkpoint` gets the rounds, the loss on held-out images, and the extractor as it is then:
    at the start and at every checkpoint. `gathered` collects its figures. `last_good` is the file
    for the weights before a loss that was not finite.

    Neither the labels of the target nor the images of the source take part.

    Raises:
        NonFiniteLoss: if a loss becomes NaN or infinite.
    """
    extractor = copy_model(network.extractor)
    let_learn(extractor, candidate.layers)
    learnt, held_out = hold_out(config, images, seed)
    kind = replace(images, flippable=network.flippable)
    auxiliaries = []
    for number, (name, head) in enumerate(network.auxiliary_heads.items()):
        frozen = copy_model(head)
        frozen.trainable = False
        auxiliary = make_auxiliary(config, name, kind, 1000 * seed + 300 + number)
        auxiliaries.append(AuxiliaryHead(auxiliary, frozen))
    augmentation = make_augmentation(config, kind, 1000 * seed + 160)
    trainer = Trainer(
        [Task(TASK, extractor, None, auxiliaries, augmentation=augmentation)],
        seed=1000 * seed + 720,
    )
    how = replace(config.adaptation, learning_rate=candidate.learning_rate)

    def at_stop(rounds: int) -> None:
        found = trainer.evaluate(
            {TASK: held_out}, config.evaluation_batch_size, verbose=0, return_dict=True
        )
        # A fault in the weights after the last step is seen here first.
        if not np.isfinite(found["loss"]):
            raise NonFiniteLoss(
                f"the loss on held-out images is {found['loss']} after round {rounds}; try a lower "
                "learning rate"
            )
        at_checkpoint(rounds, float(found["loss"]), extractor)

    trainer.compile()
    at_stop(0)
    data, places = {TASK: learnt}, checkpoints(config)
    train(trainer, data, how, (), last_good, places, at_stop, gathered)


def checkpoints(config: Settings) -> list[int]:
    """Returns the rounds after which accuracy and loss are measured, including the last."""
    rounds = config.adaptation.rounds
    found = np.linspace(0, rounds, config.checkpoints + 1)[1:]
    return list(dict.fromkeys(int(round(value)) for value in found))


def let_learn(extractor: keras.Model, layers: str) -> None:
    """Freezes all layers of an extractor but some.

    Args:
        extractor: Extractor, which is changed.
        layers: Layers that learn: `"all"`; `"normalization"`, whose scales and offsets learn (Wang
            et al. 2021, https://arxiv.org/abs/2006.10726); or `"first_half"` of the layers that
            have weights.

    Example:

    >>> from keras_compat import networks
    >>> extractor = networks.build_extractor("resnet8", (8, 8, 1), seed=0)
    >>> let_learn(extractor, "normalization")
    >>> {weight.name for weight in extractor.trainable_weights} == {"gamma", "beta"}
    True
    """
    extractor.trainable = True
    if layers == "all":
        return
    weighted = [layer for layer in extractor.layers if layer.trainable_weights]
    kept = weighted[: (len(weighted) + 1) // 2]
    if layers == "normalization":
        kept = normalization_layers(extractor)
    learning = {id(layer) for layer in kept}
    for layer in weighted:
        layer.trainable = id(layer) in learning


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
    """Returns the information of a classifier's answers, see `evaluation.mutual_information`."""
    logits, _ = evaluation.predict_logits(extractor, head, images, batch_size)
    return evaluation.mutual_information(logits)
