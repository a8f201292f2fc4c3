"""What every auxiliary task says of itself."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


class Auxiliary(keras.layers.Layer):
    """Base of the tasks whose head makes extractors compatible (paper Sec. 3.1, 3.2).

    A subclass says how images are transformed, what is to be predicted of them, with how many
    outputs, and, where cross-entropy is not it, with which loss. It is a Keras layer only for
    what layers bring: a configuration, a name, and random state that is saved with the trainer.

    Attributes:
        outputs: the number of logits that its head emits.
        transforms_images: whether the extractor has to see other images than the target task's.
            Where it is `False` the target task's features are used again, at no extra cost.

    Example:

    >>> from keras_compat.auxiliary import RotationPrediction
    >>> task = RotationPrediction(seed=0)
    >>> task.outputs, task.transforms_images
    (4, True)
    """

    outputs: int
    transforms_images: bool = True

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.built = True

    def transform(self, images: Any, labels: Any, training: bool = True) -> tuple[Any, Any]:
        """Returns the images to show and the targets to predict.

        Args:
            images: `[B, H, W, C]`, in [0, 255], augmented already, of the type that the
                networks compute in.
            labels: int32 `[B]`, the target task's classes; -1 where there is none.
            training: `False` must draw no random numbers: evaluating does not change training.

        Returns:
            `(images, targets)`: as many images as the task needs, and int32 targets, one each;
            a target of -1 takes no part in the loss.
        """
        raise TypeError(f"{type(self).__name__} does not say how it transforms images")

    def loss(self, targets: Any, logits: Any) -> Any:
        """Returns the loss of each example: float32 `[B]`, zero where the target is -1."""
        known = ops.cast(targets >= 0, "float32")
        loss = keras.losses.sparse_categorical_crossentropy(
            ops.maximum(targets, 0), logits, from_logits=True
        )
        # `where`, not a product: a masked example must not turn an infinite loss into NaN.
        return ops.where(known > 0, loss, ops.zeros_like(loss))

    def correct(self, targets: Any, logits: Any) -> tuple[Any, Any]:
        """Returns of each example whether it is right and whether it counts: float32 `[B]`."""
        known = ops.cast(targets >= 0, "float32")
        right = ops.cast(ops.argmax(logits, axis=-1), "int32") == ops.cast(targets, "int32")
        return ops.cast(right, "float32") * known, known
