"""Recombination accuracy of the extractor of one network with the head of another (Sec. 4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import keras
import numpy as np

from keras_compat.data import Examples, StreamedExamples, match_classes
from keras_compat.errors import InputError
from keras_compat.evaluation.metrics import accuracy
from keras_compat.evaluation.prediction import predict_logits
from keras_compat.evaluation.recalibration import recalibrate


def recombination_accuracy(
    extractor: keras.Model,
    head: keras.Model,
    examples: Examples | StreamedExamples,
    *,
    classes: Iterable[int] | None = None,
    batch_size: int = 512,
    statistics: str = "batch",
    calibration: Examples | StreamedExamples | None = None,
    class_average: bool = False,
) -> float:
    """Returns the accuracy of an extractor with the head of any network, without fine-tuning.

    Args:
        examples: Test images of the extractor's data; labels are the head's class indices. For
            data sets with different classes, see `common_examples`.
        classes: Classes of the head to predict among; only their examples are counted. By default
            all classes.
        batch_size: Maximum number of examples in a batch; batch statistics depend on it.
        statistics: `"batch"` or `"moving"`, see `predict_logits`; or `"recalibrated"` for moving
            statistics of copies, re-estimated on unlabelled images (B.1).
        calibration: Images for `"recalibrated"`; by default `examples`.
        class_average: Whether the accuracy is averaged over classes, see `accuracy`.

    Returns:
        A fraction from 0 to 1.

    Raises:
        InputError: If the head does not fit the extractor, or a mode is unknown.

    Source: Gygli et al. 2021, Sec. 4 and B.1.

    Example:

    >>> from keras_compat.data import Examples
    >>> extractor = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.AveragePooling2D(4)])
    >>> head = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()])  # 4 classes
    >>> examples = Examples(np.zeros((4, 8, 8, 1), "uint8"), np.arange(4))
    >>> recombination_accuracy(extractor, head, examples)  # equal images: one class
    0.25
    """
    if statistics == "recalibrated":
        batches = (calibration or examples).evaluation_batches(batch_size)
        images = np.concatenate([images for images, _ in batches])
        extractor, head = recalibrate(extractor, head, images, batch_size=batch_size)
        statistics = "moving"
    logits, labels = predict_logits(extractor, head, examples, batch_size, statistics)
    return accuracy(
        logits, labels, classes, restrict=classes is not None, class_average=class_average
    )


def recombination_matrix(
    extractors: Mapping[str, keras.Model],
    heads: Mapping[str, keras.Model],
    tests: Mapping[str, Examples | StreamedExamples],
    class_names: Mapping[str, Sequence[str]],
    *,
    restrict: bool = True,
    batch_size: int = 512,
    statistics: str = "batch",
    aliases: Mapping[str, str] | None = None,
) -> dict[tuple[str, str], float]:
    """Returns the recombination accuracy of every extractor with every head.

    An extractor is evaluated on the test images of its own data set whose classes the head's data
    set has too. With the head of its own network these are all its test images;
    `own_accuracies` evaluates it with that head on the common classes.

    Args:
        extractors: Extractors by name of the network.
        heads: Heads by name of the network, of the same or other networks.
        tests: Test examples of each extractor's data set, by name of the network.
        class_names: Class names of each network's data set, by name of the network.
        restrict: Whether predictions are restricted to the common classes, as in the paper.
        statistics: Mode of `recombination_accuracy`; `"recalibrated"` uses all test images of the
            extractor's data.
        aliases: More names of the same classes, see `data.match_classes`.

    Returns:
        Fractions from 0 to 1 by (name of the extractor, name of the head).

    Raises:
        InputError: If a head does not fit an extractor, two data sets have fewer than two classes
            in common, or a mode is unknown.

    Source: Gygli et al. 2021, Sec. 4 and Appendix C (common classes).

    Example:

    >>> from keras_compat.data import Examples
    >>> extractor = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.AveragePooling2D(4)])
    >>> head = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()])  # 4 classes
    >>> tests = {"a": Examples(np.zeros((4, 8, 8, 1), "uint8"), np.arange(4))}
    >>> names = {"a": ("cat", "dog", "car", "ship"), "b": ("automobile", "frog", "cat", "deer")}
    >>> heads = {"a": head, "b": head}
    >>> recombination_matrix({"a": extractor}, heads, tests, names)  # equal images: one class
    {('a', 'a'): 0.25, ('a', 'b'): 0.5}
    """
    matrix = {}
    for e, extractor in extractors.items():
        for h, head in heads.items():
            examples, classes = common_examples(tests[e], class_names[e], class_names[h], aliases)
            matrix[e, h] = recombination_accuracy(
                extractor,
                head,
                examples,
                classes=classes if restrict else None,
                batch_size=batch_size,
                statistics=statistics,
                calibration=tests[e],
            )
    return matrix


def own_accuracies(
    extractors: Mapping[str, keras.Model],
    heads: Mapping[str, keras.Model],
    tests: Mapping[str, Examples | StreamedExamples],
    class_names: Mapping[str, Sequence[str]],
    *,
    restrict: bool = True,
    batch_size: int = 512,
    statistics: str = "batch",
    aliases: Mapping[str, str] | None = None,
) -> dict[tuple[str, str], float]:
    """Returns the accuracy of every network with its own head, in comparison with each partner.

    Test images and restriction are those of the recombination with the partner's head. For a
    network trained alone, this is the paper's upper bound of the recombination accuracy. All
    arguments are those of `recombination_matrix`; `heads` contains the heads of all `extractors`.

    Returns:
        Fractions from 0 to 1 by (name of the network, name of the partner).

    Raises:
        InputError: See `recombination_matrix`.

    Source: Gygli et al. 2021, Sec. 4 (upper bound).

    Example:

    >>> from keras_compat.data import Examples
    >>> extractor = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.AveragePooling2D(4)])
    >>> head = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()])  # 4 classes
    >>> tests = {"a": Examples(np.zeros((4, 8, 8, 1), "uint8"), np.arange(4))}
    >>> names = {"a": ("cat", "dog", "car", "ship"), "b": ("automobile", "frog", "cat", "deer")}
    >>> own_accuracies({"a": extractor}, {"a": head, "b": head}, tests, names)
    {('a', 'b'): 0.5}
    """
    found = {}
    for name, extractor in extractors.items():
        for partner in heads:
            if partner == name:
                continue
            pairs = _common(class_names[name], class_names[partner], aliases)
            classes = [own for own, _ in pairs]
            of_these = np.flatnonzero(np.isin(tests[name].labels, classes))
            found[name, partner] = recombination_accuracy(
                extractor,
                heads[name],
                tests[name].subset(of_these),
                classes=classes if restrict else None,
                batch_size=batch_size,
                statistics=statistics,
                calibration=tests[name],
            )
    return found


def common_examples(
    examples: Examples | StreamedExamples,
    class_names: Sequence[str],
    head_class_names: Sequence[str],
    aliases: Mapping[str, str] | None = None,
) -> tuple[Examples | StreamedExamples, list[int]]:
    """Returns the examples of classes that a head knows, with the head's labels.

    Args:
        aliases: More names of the same classes, see `data.match_classes`.

    Returns:
        The examples in their order, and the common classes as indices of the head, in the order of
        `class_names`.

    Raises:
        InputError: If there are fewer than two common classes.

    Source: Gygli et al. 2021, Appendix C (the nine common classes of CIFAR-10 and STL-10).

    Example:

    >>> from keras_compat.data import Examples
    >>> examples = Examples(np.zeros((4, 8, 8, 1), "uint8"), np.array([2, 1, 0, 2]))
    >>> found, classes = common_examples(examples, ["cat", "frog", "car"], ["automobile", "cat"])
    >>> found.labels.tolist(), classes
    ([0, 1, 0], [1, 0])
    """
    pairs = _common(class_names, head_class_names, aliases)
    new_label = np.full(len(class_names) + 1, -1)  # the last entry is for label -1
    for own, of_head in pairs:
        new_label[own] = of_head
    labels = new_label[examples.labels]
    known = np.flatnonzero(labels >= 0)
    return examples.subset(known).relabelled(labels[known]), [of_head for _, of_head in pairs]


def _common(
    names: Sequence[str], others: Sequence[str], aliases: Mapping[str, str] | None
) -> list[tuple[int, int]]:
    pairs = match_classes(names, others, aliases)
    if len(pairs) < 2:
        raise InputError(
            f"classes {', '.join(names)} and classes {', '.join(others)} have {len(pairs)} in "
            "common; expected at least two to predict among: say with aliases which are the same"
        )
    return pairs
