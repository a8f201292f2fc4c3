"""Sample and class weights in the forms that Keras' `fit` takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_compat.data.labels import UNKNOWN
from keras_compat.errors import InputError


def check_weights(weights: Any, images: int, what: str) -> np.ndarray:
    """Returns sample weights as floats, after checking them.

    Args:
        weights: One number from 0 for each image, of shape `[N]` or `[N, 1]`.
        what: Name of the data, such as `"the data of task 'a'"`.

    Returns:
        Floats `[N]` of Keras' default type.

    Raises:
        InputError: The shape, type or count is wrong, or a weight is negative or not finite.

    Example:

    >>> check_weights([[1], [0]], 2, "the data of task 'a'")
    array([1., 0.], dtype=float32)
    """
    try:
        weights = np.asarray(weights)
    # Nested lists of several lengths.
    except ValueError:
        weights = np.asarray(None)
    if weights.ndim == 2 and weights.shape[1] == 1:
        weights = weights[:, 0]
    if weights.shape != (images,) or weights.dtype.kind not in "iufb":
        raise InputError(
            f"sample weights in {what} are {weights.dtype} of shape {weights.shape}; expected one "
            f"number an image, of shape ({images},)"
        )
    with np.errstate(over="ignore"):
        found = weights.astype(keras.config.floatx())
    wrong = weights[~np.isfinite(found) | (weights < 0)]
    if len(wrong):
        raise InputError(f"sample weight {wrong[0]} in {what}; expected finite numbers from 0")
    return found


def by_task(value: Any, tasks: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Returns an argument's values by task name.

    Args:
        value: Mapping from the names of some tasks; `None`; or, with only one task, its value.

    Raises:
        InputError: A name is no task's, or there are several tasks and no names.

    Example:

    >>> by_task({"a": [1.0]}, {"a": None, "b": None}, "sample_weight")
    {'a': [1.0]}
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        if len(tasks) == 1:
            return dict.fromkeys(tasks, value)
        raise InputError(
            f"{what} is of type {type(value).__name__}; expected a mapping from names of the tasks "
            f"{sorted(tasks)}"
        )
    unknown = [name for name in value if name not in tasks]
    if unknown:
        raise InputError(f"{what} is for {unknown[0]!r}; expected tasks among {sorted(tasks)}")
    return {name: given for name, given in value.items() if given is not None}


def class_weights(value: Any, classes: Mapping[str, int | None]) -> dict[str, np.ndarray]:
    """Returns the weights of each task's classes.

    Args:
        value: Mapping from classes to weights, for all tasks with a head; or from the names of
            some tasks to such mappings. A class that is left out weighs 1.
        classes: Number of classes of each task; `None` where it has no head.

    Returns:
        Floats `[classes + 1]` by task; the last one, 1, is the weight of label -1.

    Raises:
        InputError: A class is not one of the task's, or a weight is negative or not finite.

    Example:

    >>> class_weights({1: 3.0}, {"a": 2, "b": None})
    {'a': array([1., 3., 1.], dtype=float32)}
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InputError(
            f"class_weight is of type {type(value).__name__}; expected a mapping from classes to "
            "weights, such as {0: 1.0, 1: 5.0}, or from names of tasks to such mappings"
        )
    if not any(isinstance(key, str) for key in value):
        value = {name: value for name, count in classes.items() if count is not None}
    tables = {}
    for name, given in by_task(value, classes, "class_weight").items():
        count = classes[name]
        if count is None or not isinstance(given, Mapping):
            raise InputError(
                f"class_weight of task {name!r} is of type {type(given).__name__}; expected a "
                "mapping from classes to weights, for a task with a head"
            )
        table = np.ones(count + 1, keras.config.floatx())
        for key, weight in given.items():
            if isinstance(key, bool | str) or key not in range(count):
                raise InputError(
                    f"class_weight of task {name!r} is for class {key!r}; expected 0 to {count - 1}"
                )
            table[int(key)] = check_weights([weight], 1, f"class_weight of task {name!r}")[0]
        tables[name] = table
    return tables


def weights_of_labels(table: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns the weight of each example by its class.

    Args:
        table: Weights `[classes + 1]`, see `class_weights`.
        labels: int32 `[N]`; -1 takes the last weight.

    Example:

    >>> weights_of_labels(np.array([1.0, 3.0, 1.0]), np.array([1, -1])).tolist()
    [3.0, 1.0]
    """
    return table[np.where(labels == UNKNOWN, len(table) - 1, labels)]
