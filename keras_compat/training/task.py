"""The tasks of a trainer: a network, its auxiliary tasks, and their weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Self

import keras

from keras_compat.auxiliary import Auxiliary
from keras_compat.errors import InputError
from keras_compat.networks import check_logits
from keras_compat.networks.structure import one_shape

PASSES = ("separate", "joint", "transformed")


class _Configured:
    """Gives a dataclass the configuration that Keras saves and loads it by."""

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that make this object again; Keras serializes what they hold."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.init}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Makes an object from a configuration of objects, or of what Keras serialized."""
        return cls(**{key: _loaded(value) for key, value in config.items()})


def _loaded(value: Any) -> Any:
    serialized = isinstance(value, dict) and "class_name" in value
    return keras.saving.deserialize_keras_object(value) if serialized else value


@keras.saving.register_keras_serializable("keras_compat")
@dataclass
class AuxiliaryHead(_Configured):
    """An auxiliary task with the head that solves it.

    The same head in several tasks is shared. A head with `trainable = False` is frozen. Heads of
    their own make no networks compatible; the upper bound uses them.

    Args:
        head: A model from features to the auxiliary's outputs; `None` for a task without a head,
            such as `UnitLengthLoss`.
        loss_weight: Weight of the auxiliary loss in the sum of losses (Appendix C: 1).
        fraction: Fraction of each training minibatch that the auxiliary sees, rounded up. Its
            loss is the mean over these images, so the expected loss does not change.
        every: Number of rounds from one in which the auxiliary takes part to the next. The first
            round is one of them. Its loss is multiplied by `every`, which keeps the sum over
            rounds. In the other rounds its head is not updated.

    Raises:
        ValueError: The head is missing, or does not emit what the task needs, such as
            probabilities, or a number is out of range.

    Example:

    >>> from keras_compat.auxiliary import RotationPrediction, UnitLengthLoss
    >>> AuxiliaryHead(UnitLengthLoss()).head is None
    True
    >>> AuxiliaryHead(RotationPrediction())
    Traceback (most recent call last):
        ...
    ValueError: no head for the auxiliary 'rotation'; expected one from features to 4 outputs
    """

    auxiliary: Auxiliary
    head: keras.Model | None = None
    loss_weight: float = 1.0
    fraction: float = 1.0
    every: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.fraction <= 1:
            raise ValueError(f"fraction is {self.fraction}; expected above 0, at most 1")
        if self.every < 1 or int(self.every) != self.every:
            raise ValueError(f"every is {self.every}; expected a whole number from 1")
        task = self.auxiliary
        if self.head is None and task.uses_head:
            raise ValueError(
                f"no head for the auxiliary {task.name!r}; expected one from features to "
                f"{task.outputs} outputs"
            )
        if self.head is not None and not task.uses_head:
            raise ValueError(
                f"head {self.head.name!r} for the auxiliary {task.name!r}; expected none: it "
                "works on the features"
            )
        if self.head is not None:
            check_logits(self.head)
        shape = getattr(self.head, "output_shape", None)
        wanted = ("batch", *(("height", "width") if task.dense else ()), task.outputs)
        if shape is not None and (len(shape) != len(wanted) or shape[-1] != task.outputs):
            raise ValueError(
                f"head {self.head.name!r} emits {shape}; the auxiliary {task.name!r} needs "
                f"({', '.join(map(str, wanted))})"
            )


@keras.saving.register_keras_serializable("keras_compat")
@dataclass
class Task(_Configured):
    """One network to train, on data of its own.

    Args:
        name: Name in logs and key of the task's data; letters, digits and underscores.
        extractor: A model from images to features.
        head: A model from features to class logits; `None` leaves out the target loss, and with
            it the need for labels.
        augmentation: A layer that changes images in training.
        passes: Passes of a training step through the extractor. `"separate"` shows the images of
            an auxiliary task in a pass of their own, with batch statistics of their own.
            `"joint"` shows all images in one pass, with the statistics of all. `"transformed"`
            shows in one pass the images of the one auxiliary task that changes images, and the
            target head learns on these too (with rotation prediction, on turned ones). Evaluation
            is always as with `"separate"`.

    Raises:
        ValueError: The name is no identifier, the task has no loss in some round, or `passes`
            does not suit the auxiliaries.
        InputError: A part is not built, or the head has no shape, several outputs, or emits
            probabilities (`networks.logits_of` makes one of logits).
    """

    name: str
    extractor: keras.Model
    head: keras.Model | None
    auxiliaries: Sequence[AuxiliaryHead] = ()
    loss_weight: float = 1.0
    augmentation: keras.layers.Layer | None = None
    passes: str = "separate"
    parts: list[keras.Model] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ValueError(f"task name {self.name!r}; expected letters, digits and underscores")
        if self.head is None and not self.auxiliaries:
            raise ValueError(f"task {self.name!r} has neither a head nor an auxiliary: no loss")
        if self.head is None and all(held.every > 1 for held in self.auxiliaries):
            raise ValueError(
                f"task {self.name!r} has no head, and no auxiliary in every round; expected one "
                "with every=1"
            )
        self._check_passes()
        self.parts = self._parts_with(self.auxiliaries)
        self._check_built()
        if self.head is not None:
            check_logits(self.head)

    def _check_passes(self) -> None:
        if self.passes not in PASSES:
            raise ValueError(f"passes is {self.passes!r}; expected one of {', '.join(PASSES)}")
        if self.passes == "transformed":
            changing = [a.auxiliary for a in self.auxiliaries if a.auxiliary.transforms_images]
            if len(changing) != 1 or not changing[0].shows_each_once:
                raise ValueError(
                    f"passes is 'transformed' and auxiliaries that change images are "
                    f"{[auxiliary.name for auxiliary in changing]}; expected one, which shows each "
                    "image once"
                )

    def _check_built(self) -> None:
        for part in self.parts:
            if not part.built:
                raise InputError(
                    f"part {part.name!r} of task {self.name!r} has no weights yet, which could not "
                    "be trained; begin it with keras.Input(shape), or call it once"
                )
        if self.head is not None:
            one_shape(self.head, "output")

    def _parts_with(self, auxiliaries: Sequence[AuxiliaryHead]) -> list[keras.Model]:
        heads = [self.head, *(held.head for held in auxiliaries)]
        return [self.extractor, *(head for head in heads if head is not None)]

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that make this task again, those of its auxiliaries as dicts."""
        return {**super().get_config(), "auxiliaries": [a.get_config() for a in self.auxiliaries]}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Makes a task from a configuration of objects, or of what Keras serialized."""
        auxiliaries = [AuxiliaryHead.from_config(held) for held in config["auxiliaries"]]
        return super().from_config({**config, "auxiliaries": auxiliaries})

    @property
    def classes(self) -> int | None:
        """Number of classes of the labels; `None` if nothing is learnt from labels."""
        known = [held.auxiliary.classes for held in self.auxiliaries if held.auxiliary.uses_labels]
        if self.head is not None:
            known.append(self.head.output_shape[-1])
        return min(known, default=None)

    def auxiliaries_of(self, number: int) -> list[AuxiliaryHead]:
        """Returns the auxiliaries that take part in the round with a number."""
        return [held for held in self.auxiliaries if number % held.every == 0]

    def learnt_variables(
        self, auxiliaries: Sequence[AuxiliaryHead] | None = None
    ) -> list[keras.Variable]:
        """Returns the variables that a step of this task updates, each once, frozen ones left out.

        Args:
            auxiliaries: The auxiliaries that take part, by default all.
        """
        parts = self.parts if auxiliaries is None else self._parts_with(auxiliaries)
        unique = {id(v): v for part in parts for v in part.trainable_variables}
        return list(unique.values())
