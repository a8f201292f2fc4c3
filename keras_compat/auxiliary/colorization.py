"""Compatibility through colorization (Appendix A)."""

from __future__ import annotations

from typing import Any, Self

import keras
from keras import ops

from keras_compat.auxiliary.base import Auxiliary
from keras_compat.data import ImageDataset, UnlabelledImages
from keras_compat.errors import InputError

# Edges of the bins of each opponent colour. Bins near grey, where most of a photograph is, are
# narrow, so that no bin is right most of the time.
EDGES = (-20.0, -4.0, 4.0, 20.0)
BINS = len(EDGES) + 1


def quantized_colours(images: Any) -> Any:
    """Returns the bin of each pixel's colour, which does not depend on its brightness.

    The colour is two opponent colours, red against green (R - G) and yellow against blue
    ((R + G) / 2 - B). Each has five bins: strong and weak in either direction, and neutral.

    Args:
        images: Floats `[..., 3]` in [0, 255].

    Returns:
        int32 `[...]`: 5 times the bin of red against green (4 is red) plus the bin of yellow
        against blue (4 is yellow). Grey is 12.

    Example:

    >>> import numpy as np
    >>> colours = [[90, 90, 90], [250, 20, 20], [30, 30, 200], [100, 110, 80]]
    >>> [int(bin) for bin in quantized_colours(np.array(colours, "float32"))]
    [12, 24, 10, 9]
    """
    red, green, blue = images[..., 0], images[..., 1], images[..., 2]
    red_green = ops.digitize(red - green, EDGES)
    yellow_blue = ops.digitize((red + green) / 2 - blue, EDGES)
    return BINS * red_green + yellow_blue


@keras.saving.register_keras_serializable("keras_compat")
class Colorization(Auxiliary):
    """Predicts from a grey image the quantized colour at each position of the head's logits.

    The extractor sees only the brightness, in three equal channels. The head keeps positions. Each
    position covers a part of the image, and the mean colour of that part falls into one of 25
    bins, see `quantized_colours`. The task draws nothing at random.

    Raises:
        InputError: The images have no colours.

    Source: Zhang, Isola and Efros 2016 (https://arxiv.org/abs/1603.08511), who predict 313 bins
    of CIE Lab and give rare colours more weight; at 32 x 32 pixels few of these bins occur.

    Example:

    >>> import numpy as np
    >>> red = np.full((2, 8, 8, 3), [200, 0, 0], "float32")
    >>> task = Colorization()
    >>> shown, targets = task.transform(red, None)
    >>> np.array(shown)[0, 0, 0].round().astype(int).tolist()
    [60, 60, 60]
    >>> logits = keras.ops.one_hot(np.full((2, 4, 4), 24), task.outputs)
    >>> [float(right) for right in task.score(targets, logits)[0]]
    [1.0, 1.0]
    """

    outputs = BINS * BINS
    dense = True

    def __init__(self, name: str = "colorization", **kwargs: Any):
        super().__init__(name=name, **kwargs)

    @classmethod
    def for_dataset(cls, dataset: ImageDataset | UnlabelledImages, seed: int | None = None) -> Self:
        if dataset.image_shape[-1] != 3:
            raise _no_colours(f"the images of {dataset.name}", dataset.image_shape[-1])
        return cls()

    def transform(self, images: Any, labels: Any, training: bool = True) -> tuple[Any, Any]:
        """Returns the grey images, and the coloured images as targets."""
        if images.shape[-1] != 3:
            raise _no_colours("images", images.shape[-1])
        # Half precision would round the brightness.
        precise = ops.cast(images, keras.backend.result_type(images.dtype, "float32"))
        grey = ops.cast(ops.image.rgb_to_grayscale(precise), images.dtype)
        return ops.repeat(grey, 3, axis=-1), precise

    def loss(self, targets: Any, outputs: Any) -> Any:
        """Returns each image's cross-entropy `[B]`, the mean over positions."""
        bins = _bins_at(targets, outputs)
        loss = keras.losses.sparse_categorical_crossentropy(bins, outputs, from_logits=True)
        return ops.mean(loss, axis=(1, 2))

    def score(self, targets: Any, outputs: Any) -> tuple[Any, Any]:
        """Returns each image's share of positions with the right bin, and 1; `[B]` each."""
        right = ops.cast(ops.argmax(outputs, axis=-1), "int32") == _bins_at(targets, outputs)
        share = ops.mean(ops.cast(right, outputs.dtype), axis=(1, 2))
        return share, ops.ones_like(share)


def _bins_at(images: Any, logits: Any) -> Any:
    """Returns the bin of the mean colour at each position of the logits."""
    positions = tuple(logits.shape[1:3])
    return quantized_colours(ops.adaptive_average_pool(images, positions, "channels_last"))


def _no_colours(what: str, channels: int) -> InputError:
    return InputError(
        f"{what} have {channels} channel{'s' if channels != 1 else ''}; the colorization task "
        "needs three (red, green, blue): use another task on grey images"
    )
