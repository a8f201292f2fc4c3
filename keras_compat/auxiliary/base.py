"""The base classes of auxiliary tasks."""

from __future__ import annotations

from typing import Any, Self

import keras
from keras import ops

from keras_compat import replica_ops
from keras_compat.data import ImageDataset, UnlabelledImages


class Auxiliary(keras.layers.Layer):
    """The base class of auxiliary tasks, whose heads make extractors compatible (Sec. 3.1, 3.2).

    A subclass defines how images are transformed, the targets and the number of outputs, and, if
    it is not cross-entropy, the loss. It is a Keras layer to have a configuration, a name, and
    random state that is saved with the trainer.

    Attributes:
        outputs: Number of outputs of the head; 0 without one.
        dense: Whether the head keeps positions and emits `[B, h, w, outputs]`, not `[B, outputs]`.
        uses_head: Whether the task has a head. A task without one works on the features.
        transforms_images: Whether the extractor sees other images than the target task's. If it
            does not, the target task's features are used again at no extra cost.
        shows_each_once: Whether the task shows one image for each of a batch, in the same order,
            so that the target task may learn on these images too.
        uses_labels: Whether targets are made of labels, so that sample weights count in the loss.
            Such a task keeps the images and their order.
        score_name: Name of `score` in metrics.

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
        """Returns a task with settings for a data set.

        Common classes, which depend on several data sets, are made in another way.

        Args:
            seed: Seed of the random numbers, if the task draws any.

        Raises:
            InputError: The task makes no sense on such images.
        """
        return cls(seed=seed)

    def transform(self, images: Any, labels: Any, training: bool = True) -> tuple[Any, Any]:
        """Returns the images to show and the targets to predict.

        Args:
            images: Augmented images `[B, H, W, C]` in [0, 255], in the networks' compute dtype.
            labels: int32 `[B]`, the target task's classes; -1 stands for no label.
            training: Whether random numbers are drawn. `False` must not advance the random state,
                so that evaluation does not change training.

        Returns:
            `(images, targets)`: any number of images, and the targets that `loss` and `score`
            compare outputs with. Targets are usually int32, one for each image, and -1 takes no
            part.
        """
        raise TypeError(f"{type(self).__name__} does not say how it transforms images")

    def loss(self, targets: Any, outputs: Any) -> Any:
        """Returns the loss of each example, `[B]`; the loss of target -1 is 0.

        Args:
            outputs: Logits of the head, or features for a task without one; float32 or float64.
        """
        known = ops.cast(targets >= 0, "float32")
        loss = keras.losses.sparse_categorical_crossentropy(
            ops.maximum(targets, 0), outputs, from_logits=True
        )
        # A product would make NaN of an infinite loss.
        return ops.where(known > 0, loss, ops.zeros_like(loss))

    def score(self, targets: Any, outputs: Any) -> tuple[Any, Any]:
        """Returns the score and the weight of each example, `[B]` each.

        The score is usually 1 for a right prediction, which makes the metric the accuracy.
        """
        known = ops.cast(targets >= 0, outputs.dtype)
        right = ops.cast(ops.argmax(outputs, axis=-1), "int32") == ops.cast(targets, "int32")
        return ops.cast(right, outputs.dtype) * known, known


class FeatureTask(Auxiliary):
    """The base class of tasks without a head, whose loss is computed from features.

    They use the features of the target task's images, at no extra cost.
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
    """Returns the class of each example: random in training, else in turn (0, 1, ...).

    Args:
        generator: Generator of the random numbers; only training advances it.

    Returns:
        int32 `[count]`.
    """
    if not training:
        return replica_ops.positions(count) % classes
    return replica_ops.drawn(
        lambda shape: keras.random.randint(shape, 0, classes, "int32", generator), (count,)
    )
