"""Compatibility through exemplars, where each image is its own class (Appendix A)."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_compat.auxiliary.view_pairs import ViewPairs, same_view_and_partner
from keras_compat.errors import InputError


@keras.saving.register_keras_serializable("keras_compat")
class Exemplar(ViewPairs):
    """Keeps two views of an image nearer to each other than to views of other images.

    Every image is a class of its own (Dosovitskiy et al. 2014). To keep the head small, the task
    compares triplets (Doersch and Zisserman 2017): a view, the other view of its image, and a view
    of another image. With cosine distances d the loss is max(d(same) - d(other) + margin, 0), the
    mean over all other images of the batch. A batch of one image has no triplet and no loss.

    Args:
        margin: Least difference of the two distances (Doersch and Zisserman 2017: 0.5).
        **kwargs: `outputs`, `every_image`, `smallest_area`, `flip` and `seed`, see `ViewPairs`.

    Raises:
        InputError: The margin is not above 0.

    Source: Dosovitskiy et al. 2014 (https://arxiv.org/abs/1406.6909); Doersch and Zisserman 2017
    (https://arxiv.org/abs/1708.07860), Sec. 3.

    Example:

    >>> import numpy as np
    >>> task = Exemplar(outputs=2)
    >>> _, partners = task.transform(np.zeros((4, 8, 8, 3), "float32"), None)
    >>> vectors = np.array([[1, 0], [0, 1], [1, 0], [0, 1]], "float32")
    >>> [float(loss) for loss in task.loss(partners, vectors)]
    [0.0, 0.0, 0.0, 0.0]
    """

    def __init__(self, margin: float = 0.5, name: str = "exemplar", **kwargs: Any):
        super().__init__(name=name, **kwargs)
        if not margin > 0:
            raise InputError(f"margin is {margin}; expected a number above 0")
        self.margin = margin

    def loss(self, targets: Any, outputs: Any) -> Any:
        """Returns the mean loss of each view's triplets, `[N]`, given vectors `[N, outputs]`."""
        nearer, others = self._triplets(targets, outputs)
        return _mean(ops.maximum(self.margin - nearer, 0), others)

    def score(self, targets: Any, outputs: Any) -> tuple[Any, Any]:
        """Returns the share of each view's triplets in the right order, and 1 if there are any."""
        nearer, others = self._triplets(targets, outputs)
        right = _mean(ops.cast(nearer > 0, outputs.dtype), others)
        return right, ops.cast(ops.any(others > 0, axis=-1), outputs.dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "margin": self.margin}

    def _triplets(self, targets: Any, vectors: Any) -> tuple[Any, Any]:
        """Returns how much nearer each view's partner is than each other view, and the weights.

        Returns:
            `[N, N]` each; a weight is 1 if two views are of different images, else 0.
        """
        similarity = self.similarities(vectors)
        itself, partner = same_view_and_partner(targets)
        same = ops.sum(ops.where(partner, similarity, 0), axis=-1, keepdims=True)
        others = ops.logical_not(ops.logical_or(itself, partner))
        return same - similarity, ops.cast(others, similarity.dtype)


def _mean(values: Any, weights: Any) -> Any:
    return ops.sum(values * weights, axis=-1) / ops.maximum(ops.sum(weights, axis=-1), 1)
