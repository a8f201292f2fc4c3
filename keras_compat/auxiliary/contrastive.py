"""Compatibility through contrastive learning (Appendix A)."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_compat.auxiliary.view_pairs import ViewPairs, among_all, same_view_and_partner
from keras_compat.errors import InputError

# A logit that leaves a view out of a softmax; infinity would make the gradient NaN.
_NEVER = -1e9


@keras.saving.register_keras_serializable("keras_compat")
class Contrastive(ViewPairs):
    """Finds the other view of an image among all views of a batch (NT-Xent, SimCLR).

    It classifies among the 2 N - 1 other views, with logits of cosine similarity divided by the
    temperature. So loss and accuracy depend on the size of the batch.

    Args:
        temperature: Divisor of the similarities; 0.5 is best on CIFAR-10 (Chen et al. 2020,
            App. B.9).
        **kwargs: `outputs`, `every_image`, `smallest_area`, `flip` and `seed`, see `ViewPairs`.

    Raises:
        InputError: The temperature is not above 0.

    Source: Chen et al. 2020 (https://arxiv.org/abs/2002.05709), Sec. 2.1.

    Example:

    >>> import numpy as np
    >>> task = Contrastive(outputs=2, temperature=0.1)
    >>> views, partners = task.transform(np.zeros((4, 8, 8, 3), "float32"), None)
    >>> tuple(views.shape), [int(p) for p in partners]
    ((4, 8, 8, 3), [2, 3, 0, 1])
    >>> vectors = np.array([[1, 0], [0, 1], [2, 0], [0, 3]], "float32")
    >>> [float(right) for right in task.score(partners, vectors)[0]]
    [1.0, 1.0, 1.0, 1.0]
    """

    def __init__(self, temperature: float = 0.5, name: str = "contrastive", **kwargs: Any):
        super().__init__(name=name, **kwargs)
        if not temperature > 0:
            raise InputError(f"temperature is {temperature}; expected a number above 0")
        self.temperature = temperature

    def loss(self, targets: Any, outputs: Any) -> Any:
        """Returns the cross-entropy of each view, `[N]`, given vectors `[N, outputs]`."""
        return super().loss(among_all(targets), self._logits(targets, outputs))

    def score(self, targets: Any, outputs: Any) -> tuple[Any, Any]:
        """Returns 1 for each view whose partner is the most similar, else 0; and the weights 1."""
        return super().score(among_all(targets), self._logits(targets, outputs))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "temperature": self.temperature}

    def _logits(self, targets: Any, vectors: Any) -> Any:
        itself, _ = same_view_and_partner(targets)
        return ops.where(itself, _NEVER, self.similarities(vectors) / self.temperature)
