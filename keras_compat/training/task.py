"""What a task of the trainer is: a network, its auxiliaries, and how much they weigh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import keras

from keras_compat.auxiliary import Auxiliary
from keras_compat.errors import InputError
from keras_compat.networks import check_logits
from keras_compat.networks.structure import one_shape

PASSES = ("separate", "joint", "transformed")


@dataclass
class AuxiliaryHead:
    """An auxiliary task with the head that solves it.

    The same head in several tasks is shared; a head with `trainable = False` is frozen; a head
    of its own for each task makes nothing compatible (the upper bound's).

    Args:
        auxiliary: the task.
        head: from features to the auxiliary's outputs; `None` for a task that has none, such as
            `UnitLengthLoss`.
        loss_weight: of its loss beside the target task's (Appendix C: 1).
        fraction: of each training minibatch that it sees, rounded up; its loss is the mean over
            these images, so that its expected value stays what it is.
        every: it takes part in every so many rounds, beginning with the first, with so many times
            the weight: over `every` rounds it weighs as much as if it took part in all. In the
            others its head is not updated.

    Raises:
        ValueError: when the head is missing, or does not emit what the task needs, such as
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


@dataclass
class Task:
    """One network to train, on data of its own.

    Args:
        name: appears in logs and is the key of its data; letters, digits and underscores.
        extractor: from images to features.
        head: from features to class logits; `None` leaves the target loss out (no labels needed).
        auxiliaries: what makes its extractor compatible.
        loss_weight: of the target loss.
        augmentation: a layer applied to images while training.
        passes: of a training step through the extractor. `"separate"`: the images of an auxiliary
            task in a pass of their own, with batch statistics of their own. `"joint"`: all in one,
            with the statistics of all. `"transformed"`: there is one pass, over the images as the
            one auxiliary task that changes them shows them, and the target head learns on these
            too (upright and turned ones, with rotation prediction). Evaluation is as with
            `"separate"`.

    Raises:
        ValueError: on a name that is no identifier, a task without a loss in some round, or
            passes that do not suit the auxiliaries.
        InputError: if a part is not built, or the head has no shape, several outputs, or emits
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

    @property
    def classes(self) -> int | None:
        """The number of classes of its labels; `None` where nothing is learnt from them."""
        known = [held.auxiliary.classes for held in self.auxiliaries if held.auxiliary.uses_labels]
        if self.head is not None:
            known.append(self.head.output_shape[-1])
        return min(known, default=None)

    def auxiliaries_of(self, number: int) -> list[AuxiliaryHead]:
        """Returns the auxiliaries that take part in a round by its number."""
        return [held for held in self.auxiliaries if number % held.every == 0]

    def learnt_variables(
        self, auxiliaries: Sequence[AuxiliaryHead] | None = None
    ) -> list[keras.Variable]:
        """Returns the variables that a step of this task updates: what is not frozen, once each.

        Args:
            auxiliaries: those that take part; all unless told otherwise.
        """
        parts = self.parts if auxiliaries is None else self._parts_with(auxiliaries)
        unique = {id(v): v for part in parts for v in part.trainable_variables}
        return list(unique.values())
