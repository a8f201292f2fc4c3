"""What every auxiliary task says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import keras
from keras import ops

from keras_compat import replica_ops

if TYPE_CHECKING:
    from keras_compat.data import ImageDataset, UnlabelledImages


class Auxiliary(keras.layers.Layer):
    """Base of the tasks whose head makes extractors compatible (paper Sec. 3.1, 3.2).

    A subclass says how images are transformed, what is to be predicted of them, with how many
    outputs, and, where cross-entropy is not it, with which loss. It is a Keras layer only for
    what layers bring: a configuration, a name, and random state that is saved with the trainer.

    Attributes:
        outputs: the number of outputs of its head; 0 where it has none.
        dense: whether its head keeps positions, and emits `[B, h, w, outputs]`, not
            `[B, outputs]`.
        uses_head: whether it has a head. One without works on the features themselves.
        transforms_images: whether the extractor has to see other images than the target task's.
            Where it is `False` the target task's features are used again, at no extra cost.
        shows_each_once: whether it shows one image for each of a batch, in their order, so that
            another task may learn on these images too.
        uses_labels: whether its targets are made of labels, so that the weights of examples count
            in its loss. It keeps the images and their order then.
        score_name: what `score` is, in the names of figures.

    Example:

    >>> from keras_compat.auxiliary import RotationPrediction
    >>> task = RotationPrediction(seed=0)
    >>> task.outputs, task.dense, task.transforms_images
    (4, False, True)
    """

    outputs: int
    dense: bool = False
    uses_head: bool = True
    transforms_images: bool = True
    shows_each_once: bool = False
    uses_labels: bool = False
    score_name: str = "accuracy"

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.built = True

    @classmethod
    def for_dataset(cls, dataset: ImageDataset | UnlabelledImages, seed: int | None = None) -> Self:
        """Returns the task as it suits a data set.

        Only common classes are made otherwise: they depend on other data sets too.

        Args:
            dataset: what its network is trained on.
            seed: of what it draws at random, if anything.

        Raises:
            InputError: where the task makes no sense on such images.
        """
        return cls(seed=seed)

    def transform(self, images: Any, labels: Any, training: bool = True) -> tuple[Any, Any]:
        """Returns the images to show and the targets to predict.

        Args:
            images: `[B, H, W, C]`, in [0, 255], augmented already, of the type that the
                networks compute in.
            labels: int32 `[B]`, the target task's classes; -1 where there is none.
            training: `False` must not advance the random state: evaluating does not change
                training.

        Returns:
            `(images, targets)`: as many images as the task needs, and what `loss` and `score`
            are to compare its outputs with; as a rule int32, one each, where -1 takes no part.
        """
        raise TypeError(f"{type(self).__name__} does not say how it transforms images")

    def loss(self, targets: Any, outputs: Any) -> Any:
        """Returns the loss of each example: `[B]`, zero where the target is -1.

        Args:
            targets: from `transform`.
            outputs: the head's logits, or the features where it has no head; float32 or float64.
        """
        known = ops.cast(targets >= 0, "float32")
        loss = keras.losses.sparse_categorical_crossentropy(
            ops.maximum(targets, 0), outputs, from_logits=True
        )
        # `where`, not a product: a masked example must not turn an infinite loss into NaN.
        return ops.where(known > 0, loss, ops.zeros_like(loss))

    def score(self, targets: Any, outputs: Any) -> tuple[Any, Any]:
        """Returns what is reported of each example, and how much it counts: `[B]` each.

        As a rule that is whether it is right: the task's accuracy.

        Args:
            targets: from `transform`.
            outputs: as for `loss`.
        """
        known = ops.cast(targets >= 0, outputs.dtype)
        right = ops.cast(ops.argmax(outputs, axis=-1), "int32") == ops.cast(targets, "int32")
        return ops.cast(right, outputs.dtype) * known, known


class FeatureTask(Auxiliary):
    """Base of the tasks without a head: what they ask is of the features themselves.

    They use the features of their task's own images, at no extra cost.
    """

    outputs = 0
    uses_head = False
    transforms_images = False

    @classmethod
    def for_dataset(cls, dataset: ImageDataset | UnlabelledImages, seed: int | None = None) -> Self:
        return cls()

    def transform(self, images: Any, labels: Any, training: bool = True) -> tuple[Any, Any]:
        return images, labels


def draw_classes(
    count: Any, classes: int, generator: keras.random.SeedGenerator, training: bool
) -> Any:
    """Returns the class of each example: at random in training, in turn (0, 1, ...) otherwise.

    Args:
        count: how many examples there are.
        classes: how many classes there are.
        generator: of the random numbers; it is not advanced unless `training`.
        training: whether to draw.

    Returns:
        int32 `[count]`.
    """
    if not training:
        return replica_ops.positions(count) % classes
    return replica_ops.drawn(
        lambda shape: keras.random.randint(shape, 0, classes, "int32", generator), (count,)
    )
