"""Accuracy over all or some classes, and mutual information."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.special import entr, softmax

from keras_compat.errors import InputError


def accuracy(
    logits: np.ndarray,
    labels: np.ndarray,
    classes: Iterable[int] | None = None,
    restrict: bool = False,
    class_average: bool = False,
) -> float:
    """Returns the fraction of examples whose largest logit is that of their label, from 0 to 1.

    Args:
        logits: Scores, float `[N, classes]`.
        labels: Class indices, integer `[N]`; examples without a label (-1) are left out.
        classes: Classes whose examples are counted; by default all.
        restrict: Whether predictions are restricted to `classes`.
        class_average: Whether the fraction is computed for each class with examples and then
            averaged over classes.

    Raises:
        InputError: If shapes do not fit, a class has no logit, or there are no examples to count.

    Source: Gygli et al. 2021, Sec. 5.2 (old classes, new classes, all classes).

    Example:

    >>> logits = np.array([[3.0, 0.0, 0.0], [0.0, 1.0, 2.0], [1.0, 0.0, 0.0]])
    >>> labels = np.array([0, 1, 0])
    >>> accuracy(logits, labels), accuracy(logits, labels, class_average=True)
    (0.6666666666666666, 0.5)
    >>> accuracy(logits, labels, classes=[0, 1], restrict=True)
    1.0
    """
    logits, labels = np.asarray(logits), np.asarray(labels)
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise InputError(
            f"logits {logits.shape} and labels {labels.shape}; expected [N, classes] and [N]"
        )
    chosen = np.arange(logits.shape[1]) if classes is None else np.unique(np.asarray([*classes]))
    if len(chosen) and not 0 <= chosen[0] <= chosen[-1] < logits.shape[1]:
        raise InputError(f"classes {chosen.tolist()}; expected indices below {logits.shape[1]}")
    counted = labels >= 0 if classes is None else np.isin(labels, chosen)
    if not counted.any():
        raise InputError("no example to count; expected at least one with a label in the classes")
    logits, labels = logits[counted], labels[counted]
    predicted = chosen[logits[:, chosen].argmax(axis=1)] if restrict else logits.argmax(axis=1)
    correct = predicted == labels
    if class_average:
        return float(np.mean([correct[labels == c].mean() for c in np.unique(labels)]))
    return float(correct.mean())


def mutual_information(logits: np.ndarray) -> float:
    """Returns the mutual information of images and predictions in nats, without labels.

    It is the entropy of the mean prediction minus the mean entropy of the predictions: high if each
    prediction is confident and all classes are predicted.

    Args:
        logits: Scores, float `[N, classes]`.

    Returns:
        A value from 0 to the logarithm of the number of classes.

    Source: Bridle, Heading and MacKay 1991, "Unsupervised classifiers, mutual information and
    'phantom targets'".

    Example:

    >>> round(mutual_information(np.array([[9.0, -9.0], [-9.0, 9.0]])), 3)  # log 2
    0.693
    >>> mutual_information(np.array([[9.0, -9.0], [9.0, -9.0]]))
    0.0
    """
    chances = softmax(np.asarray(logits, "float64"), axis=1)
    return float(entr(chances.mean(axis=0)).sum() - entr(chances).sum(axis=1).mean())
