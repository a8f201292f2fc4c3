"""Compatibility through discriminating common classes (DCC, Sec. 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_compat.auxiliary.base import Auxiliary
from keras_compat.errors import InputError


@keras.saving.register_keras_serializable("keras_compat")
class CommonClasses(Auxiliary):
    """Predicts the class among the classes that all tasks share (paper Sec. 3.2, Eq. 2).

    Examples of other classes have loss 0, and so has a batch without common classes.

    Args:
        common: The task's own class index of each common class, in the same order for every task,
            so that output k means the same class in all tasks.
        classes: Number of classes of the task.

    Raises:
        InputError: Fewer than two classes are common, or one is out of range or repeated.

    Example:

    >>> import numpy as np
    >>> task = CommonClasses(common=[2, 0], classes=3)
    >>> _, targets = task.transform(np.zeros((3, 8, 8, 1)), np.array([0, 1, 2]))
    >>> [int(t) for t in targets]
    [1, -1, 0]
    """

    transforms_images = False
    uses_labels = True

    def __init__(
        self, common: Sequence[int], classes: int, name: str = "common_classes", **kwargs: Any
    ):
        super().__init__(name=name, **kwargs)
        self.common = tuple(int(c) for c in common)
        self.classes = int(classes)
        if len(self.common) < 2:
            raise InputError(
                f"{len(self.common)} common classes; discriminating common classes needs two or "
                "more: use the rotation task, or give aliases for the class names"
            )
        wrong = [c for c in self.common if not 0 <= c < self.classes]
        if wrong or len(set(self.common)) != len(self.common):
            raise InputError(
                f"common classes {list(self.common)}; expected distinct indices "
                f"below {self.classes}"
            )
        self.outputs = len(self.common)
        # The last entry belongs to label -1 (no label).
        table = np.full(self.classes + 1, -1, "int32")
        table[list(self.common)] = np.arange(len(self.common))
        self._table = table

    def transform(self, images: Any, labels: Any, training: bool = True) -> tuple[Any, Any]:
        known = ops.where(labels < 0, self.classes, labels)
        return images, ops.take(ops.convert_to_tensor(self._table), known)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "common": list(self.common), "classes": self.classes}
