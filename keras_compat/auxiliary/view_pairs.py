"""The base class of auxiliary tasks that compare two views of an image."""

from __future__ import annotations

from typing import Any, Self

import keras
from keras import ops

from keras_compat import replica_ops
from keras_compat.auxiliary.base import Auxiliary
from keras_compat.auxiliary.views import random_views
from keras_compat.data import ImageDataset
from keras_compat.errors import InputError
from keras_compat.layers import UnitLength


class ViewPairs(Auxiliary):
    """The base class of tasks that bring two views of an image close in their head's space.

    The head emits a vector for each view. The target of a view is the place in the batch of its
    partner, the other view of the same image. `random_views` makes the views.

    By default only the first half of a batch is shown, twice (batches are drawn at random). So the
    extractor sees as many images as with rotation prediction, at the same cost.

    Args:
        outputs: Length of the head's vectors.
        every_image: Whether all images of a batch are shown twice, at twice the cost.
        smallest_area: Least share of an image that a view covers, above 0, at most 1.
        flip: Whether views may be mirrored, which does not suit digits and letters.

    Raises:
        InputError: `smallest_area` is not a share.
    """

    def __init__(
        self,
        outputs: int = 128,
        every_image: bool = False,
        smallest_area: float = 0.25,
        flip: bool = True,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if not 0 < smallest_area <= 1:
            raise InputError(f"smallest_area is {smallest_area}; expected above 0, at most 1")
        self.outputs = outputs
        self.every_image = every_image
        self.smallest_area = smallest_area
        self.flip = flip
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self._unit_length = UnitLength()

    @classmethod
    def for_dataset(cls, dataset: ImageDataset, seed: int | None = None) -> Self:
        return cls(flip=dataset.flippable, seed=seed)

    def transform(self, images: Any, labels: Any, training: bool = True) -> tuple[Any, Any]:
        """Returns the first views of all shown images, then the second ones, and their partners."""
        batch = ops.shape(images)[0]
        shown = batch if self.every_image else (batch + 1) // 2
        twice = ops.concatenate([images[:shown]] * 2, axis=0)
        views = random_views(twice, self.seed_generator, training, self.smallest_area, self.flip)
        places = ops.arange(2 * shown, dtype="int32")
        return views, (places + shown) % (2 * shown)

    def similarities(self, vectors: Any) -> Any:
        """Returns the cosine of the angle between any two vectors, `[N, D]` to `[N, N]`.

        A replica compares its own vectors with those of all replicas, `[N, D]` to `[N, M]`.
        """
        directions = self._unit_length(vectors)
        return ops.matmul(directions, ops.transpose(replica_ops.gathered(directions)))

    def get_config(self) -> dict[str, Any]:
        names = ("outputs", "every_image", "smallest_area", "flip", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def same_view_and_partner(targets: Any) -> tuple[Any, Any]:
    """Returns for any two views whether they are the same view, and whether they are partners.

    Args:
        targets: int32 `[N]`, the place of each view's partner.

    Returns:
        Booleans `[N, N]` each, or `[N, M]` with the views of all replicas in columns.
    """
    own = ops.shape(targets)[0]
    places = ops.arange(own * replica_ops.count(), dtype="int32")
    itself = replica_ops.positions(own)[:, None] == places
    return itself, among_all(targets)[:, None] == places


def among_all(targets: Any) -> Any:
    """Returns the places of partners among the views of all replicas, int32 `[N]`."""
    return targets + replica_ops.first_position(ops.shape(targets)[0])
