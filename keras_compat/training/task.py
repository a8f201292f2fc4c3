"""What a task of the trainer is: a network, its auxiliaries, and how much they weigh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import keras

from keras_compat.auxiliary import Auxiliary


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

    Raises:
        ValueError: when the head is missing, or does not emit what the task needs.

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

    def __post_init__(self) -> None:
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
    """

    name: str
    extractor: keras.Model
    head: keras.Model | None
    auxiliaries: Sequence[AuxiliaryHead] = ()
    loss_weight: float = 1.0
    augmentation: keras.layers.Layer | None = None
    parts: list[keras.Model] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ValueError(f"task name {self.name!r}; expected letters, digits and underscores")
        if self.head is None and not self.auxiliaries:
            raise ValueError(f"task {self.name!r} has neither a head nor an auxiliary: no loss")
        heads = [self.head, *(held.head for held in self.auxiliaries)]
        self.parts = [self.extractor, *(head for head in heads if head is not None)]

    def learnt_variables(self) -> list[keras.Variable]:
        """Returns the variables that a step of this task updates: what is not frozen, once each."""
        unique = {id(v): v for part in self.parts for v in part.trainable_variables}
        return list(unique.values())
