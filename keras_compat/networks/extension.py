"""Extends heads to more classes."""

from __future__ import annotations

from typing import Any

import keras

from keras_compat.errors import InputError
from keras_compat.networks.copying import Copies
from keras_compat.networks.initializers import SeededInitializers
from keras_compat.networks.logits import check_logits
from keras_compat.networks.structure import check_functional


def extend_classes(
    head: keras.Model, classes: int, seed: int | None = None, name: str | None = None
) -> keras.Model:
    """Returns a copy of a head with more classes (paper Sec. 5.2).

    The logits of the old classes are the same up to rounding. The weights of new classes are
    He-normal and their biases 0, so their logits are small noise until they are trained.

    Args:
        head: A functional model whose last layer is a `Dense`; it is not changed.
        classes: Number of classes of the new head; the old ones come first.
        name: Name of the new head; None keeps the name.

    Returns:
        A new head, with copies of all other weights, frozen layers and statistics.

    Raises:
        InputError: The head is not functional or emits probabilities, its last layer is not a
            `Dense` or has more units than `classes`, or a layer cannot be copied.

    Example:

    >>> from keras_compat import networks
    >>> head = networks.build_head("mobilenet_v2_small", classes=5, seed=0)
    >>> extend_classes(head, 10, seed=1).output_shape
    (None, 10)
    """
    check_functional(head, "new classes are added to what it has learnt")
    check_logits(head)
    last = head.layers[-1]
    if not isinstance(last, keras.layers.Dense):
        raise InputError(
            f"the last layer of head {head.name!r} is {last.name!r} ({type(last).__name__}); "
            "expected a Dense layer of logits"
        )
    if classes < last.units:
        raise InputError(f"classes is {classes}; expected at least the {last.units} of the head")

    def change(layer: Any, config: dict[str, Any]) -> tuple[type, dict[str, Any]]:
        if layer is last:
            initializer = SeededInitializers(seed).he_normal("new_classes")
            config = {**config, "units": classes, "kernel_initializer": initializer}
        return type(layer), config

    copies = Copies(change, keep=last)
    extended = copies.of(head)
    copies.finish()
    _keep_units(last, copies.of(last))
    extended.name = name or head.name
    return extended


def _keep_units(old: Any, new: Any) -> None:
    """Copies the weights of the first units, the last axis of kernel and bias."""
    weights = new.get_weights()
    for kept, weight in zip(old.get_weights(), weights, strict=True):
        weight[..., : kept.shape[-1]] = kept
    new.set_weights(weights)
