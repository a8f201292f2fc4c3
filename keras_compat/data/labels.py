"""Checks of labels, for arrays, minibatches and files alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_compat.errors import InputError

UNKNOWN = -1
"""Label of an example without a label."""

_MOST = np.iinfo(np.int32).max


def check_labels(
    labels: Any,
    images: int,
    what: str,
    classes: int | None = None,
    unknown: bool = True,
    whole_floats: bool = False,
) -> np.ndarray:
    """Returns labels as int32 `[N]`.

    Args:
        labels: Class number of each image, `[N]` or `[N, 1]`.
        what: Name of the labels, such as `"the data of task 'a'"`.
        classes: Number of classes; `None` if it is unknown.
        unknown: Whether -1, which stands for no label, is allowed.
        whole_floats: Whether floats without a fraction are allowed, as in `fit` of Keras.

    Raises:
        InputError: If shape, dtype, count or range is wrong; the message names the remedy.

    Example:

    >>> check_labels([[2], [0]], images=2, what="the data of task 'a'", classes=3)
    array([2, 0], dtype=int32)
    >>> check_labels([1, 2, 3], images=3, what="the data of task 'a'", classes=3)
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: label 3 in the data of task 'a'; expected -1 (none) to 2, as \
there are 3 classes: the labels begin with 1, subtract 1 from them
    """
    labels = _as_array(labels, what)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.dtype.kind in "USO":
        shown = f", such as {str(labels.flat[0])[:40]!r}" if labels.size else ""
        raise InputError(
            f"labels in {what} are {labels.dtype}{shown}; expected whole numbers from 0: "
            "np.unique(labels, return_inverse=True) numbers names, labels.astype('int32') makes "
            "numbers of objects"
        )
    if labels.ndim != 1:
        way_out = ": give one-hot labels as labels.argmax(axis=1)" if labels.ndim == 2 else ""
        raise InputError(
            f"labels in {what} are {labels.dtype} of shape {labels.shape}; expected integers of "
            f"shape ({images},) or ({images}, 1){way_out}"
        )
    if len(labels) != images:
        raise InputError(
            f"{images} images and {len(labels)} labels in {what}; expected one label an image"
        )
    labels = _whole(labels, what, whole_floats)
    problem = label_out_of_range(labels, classes, unknown)
    if problem is not None:
        raise InputError(f"label {problem[0]} in {what}; {problem[1]}")
    return labels.astype(np.int32)


def label_out_of_range(
    labels: np.ndarray, classes: int | None, unknown: bool
) -> tuple[int, str] | None:
    """Returns the first label out of range with the expectation; `None` if there is none.

    Example:

    >>> label_out_of_range(np.array([0, 2]), classes=2, unknown=False)
    (2, 'expected 0 to 1, as there are 2 classes')
    """
    least = UNKNOWN if unknown else 0
    most = _MOST if classes is None else classes - 1
    wrong = labels[(labels < least) | (labels > most)]
    if not len(wrong):
        return None
    first = "-1 (none)" if unknown else "0"
    if classes is None:
        return int(wrong[0]), f"expected {first}, 0, 1, ..." if unknown else "expected 0, 1, ..."
    expected = f"expected {first} to {most}, as there are {classes} classes"
    if labels.max() == classes and labels[labels != UNKNOWN].min() == 1:
        expected += ": the labels begin with 1, subtract 1 from them"
    return int(wrong[0]), expected


def check_begin_with_0(labels: np.ndarray, classes: int, what: str) -> None:
    """Raises `InputError` for labels that begin with 1: class 0 alone has no example.

    Data that lack other classes too pass, such as the new classes of a head.

    Example:

    >>> check_begin_with_0(np.array([1, 2, 1]), classes=3, what="the data of task 'a'")
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: labels in the data of task 'a' are 1 to 2, and none is 0; \
expected 0 to 2: subtract 1 from labels that begin with 1, and make the head of 2 classes
    >>> check_begin_with_0(np.array([3, 4, 3]), classes=5, what="new classes")
    """
    if classes < 3 or not len(labels):
        return
    counts = np.bincount(labels[labels >= 0], minlength=classes)
    if counts[0] == 0 and counts[1:].all():
        raise InputError(
            f"labels in {what} are 1 to {classes - 1}, and none is 0; expected 0 to {classes - 1}: "
            "subtract 1 from labels that begin with 1, and make the head of "
            f"{classes - 1} classes"
        )


def check_classes_have_images(labels: np.ndarray, class_names: Sequence[str], what: str) -> None:
    """Raises `InputError` if a class without a name has no image, or labels begin with 1.

    A class without images would be matched with the class of another data set. Named classes may
    be without images, as in a part of a larger data set.

    Args:
        labels: All labels of a data set, none of them -1.
        class_names: Names of class 0, 1, ...; a class without a name is called by its number.

    Example:

    >>> check_classes_have_images(np.array([1, 2]), ["0", "1", "2"], "usps")
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: usps has no image of class 0, its labels begin with 1; \
expected labels from 0: subtract 1 from them
    """
    counts = np.bincount(labels, minlength=len(class_names))
    empty = np.flatnonzero(counts == 0)
    if counts[0] == 0 and counts[1] > 0:
        raise InputError(
            f"{what} has no image of class {class_names[0]}, its labels begin with 1; expected "
            "labels from 0: subtract 1 from them"
        )
    numbers = tuple(class_names) == tuple(map(str, range(len(class_names))))
    if numbers and len(empty):
        raise InputError(
            f"{what} has no image of class {empty[0]}; expected labels without gaps, from 0 to "
            f"{len(counts) - len(empty) - 1} for its {len(counts) - len(empty)} classes: number "
            "them anew with np.unique(labels, return_inverse=True), or name all classes in "
            "`classes`"
        )


def check_folders_from_0(class_names: Sequence[str], what: str) -> None:
    """Raises `InputError` if class folders are called 1, 2, ... without a 0.

    A data set that calls the same classes 0, 1, ... would be matched wrongly by name.

    Example:

    >>> check_folders_from_0(["0", "1"], "digits")
    >>> check_folders_from_0(["1", "2"], "digits")
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: class folders of digits are 1 to 2, and none is 0; expected \
numbers from 0 or names: subtract 1 from the number of each folder, or call it what it shows
    """
    if all(name.isdecimal() for name in class_names):
        numbers = sorted(int(name) for name in class_names)
        if numbers == list(range(1, len(numbers) + 1)):
            raise InputError(
                f"class folders of {what} are 1 to {len(numbers)}, and none is 0; expected "
                "numbers from 0 or names: subtract 1 from the number of each folder, or call it "
                "what it shows"
            )


def _as_array(labels: Any, what: str) -> np.ndarray:
    try:
        return np.asarray(labels)
    # Nested lists of different lengths.
    except ValueError:
        raise InputError(
            f"labels in {what} have different lengths; expected one whole number for each image"
        ) from None


def _whole(labels: np.ndarray, what: str, floats: bool) -> np.ndarray:
    """Returns labels of an integer dtype."""
    if labels.dtype.kind in "iu":
        return labels
    if labels.dtype.kind == "f" and floats:
        wrong = labels[~np.isfinite(labels) | (labels != np.rint(labels))]
        if not len(wrong):
            return np.clip(labels, -_MOST, _MOST).astype(np.int64)
        raise InputError(
            f"label {wrong[0]} in {what}; expected whole numbers from 0, and -1 for no label"
        )
    raise InputError(
        f"labels in {what} are {labels.dtype} of shape {labels.shape}; expected integers of shape "
        f"({len(labels)},): give labels.astype('int32')"
    )
