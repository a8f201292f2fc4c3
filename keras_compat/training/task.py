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
        head: from features to the auxiliary's logits.
        loss_weight: of its loss beside the target task's (Appendix C: 1).
    """

    auxiliary: Auxiliary
    head: keras.Model
    loss_weight: float = 1.0


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
        heads = [self.head] if self.head is not None else []
        self.parts = [self.extractor, *heads, *(a.head for a in self.auxiliaries)]

    def learnt_variables(self) -> list[keras.Variable]:
        """Returns the variables that a step of this task updates: what is not frozen, once each."""
        unique = {id(v): v for part in self.parts for v in part.trainable_variables}
        return list(unique.values())
