"""scikit-learn's handwritten digits: 1,797 real images of 8 x 8 that need no download.

Source: https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits
"""

from __future__ import annotations

import math

import numpy as np

from keras_compat.data.dataset import ImageDataset
from keras_compat.data.images import conform
from keras_compat.data.options import LoadOptions, sources
from keras_compat.data.splits import embedded_split


@sources.register("digits")
def load_digits(argument: str, options: LoadOptions) -> ImageDataset:
    """Loads the digits, a fifth of them as test images."""
    from sklearn.datasets import load_digits as read

    digits = read()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)[..., np.newaxis]
    options.check_memory(
        len(images) * math.prod(options.conformed_shape(images.shape[1:])), "digits"
    )
    images = conform(images, options.image_size, options.channels)
    train, test = embedded_split(images, digits.target)
    names = tuple(str(name) for name in digits.target_names)
    return ImageDataset("digits", train, test, names, flippable=False)
