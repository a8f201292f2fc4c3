"""The passes of a minibatch and of its auxiliaries' images through a task's extractor."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from keras import ops

from keras_compat.training.task import AuxiliaryHead, Task


class Seen(NamedTuple):
    """The inputs of an auxiliary task's loss.

    Attributes:
        targets: The targets to predict, see `Auxiliary.transform`.
        features: Features of the images that the task shows.
    """

    held: AuxiliaryHead
    targets: Any
    features: Any


def run_passes(
    task: Task, auxiliaries: Sequence[AuxiliaryHead], images: Any, labels: Any, training: bool
) -> tuple[Any, list[Seen]]:
    """Shows a minibatch to a task's extractor.

    Args:
        images: Augmented images `[B, H, W, C]`.
        labels: int32 `[B]`.
        training: Whether fractions count and passes are shared. Evaluation shows all images, and
            shows the target head the unchanged ones, in passes of their own.

    Returns:
        The features for the target head, `None` if nothing uses them, and the features and
        targets of each auxiliary task.

    Raises:
        ValueError: Images that share a pass differ in shape.
    """
    shown = [_shown(held, images, labels, training) for held in auxiliaries]
    others = [turned for held, (turned, _) in zip(auxiliaries, shown, strict=True) if _own(held)]
    # The unchanged images, unless nothing uses their features.
    upright = [images] if task.head is not None or len(others) < len(auxiliaries) else []
    if training and task.passes == "transformed" and others:
        found = _extract(task, [_replaced(images, others[0])], training) * 2
    elif training and task.passes == "joint":
        found = _extract(task, [*upright, *others], training)
    else:
        found = [_extract(task, [batch], training)[0] for batch in (*upright, *others)]
    features = found[0] if upright else None
    own = found[len(found) - len(others) :]
    of_others = iter(own)
    seen = []
    for held, (_, targets) in zip(auxiliaries, shown, strict=True):
        these = next(of_others) if _own(held) else features
        if training and held.fraction < 1 and these is features:
            these = features[: _part(ops.shape(images)[0], held.fraction)]
        seen.append(Seen(held, targets, these))
    return features, seen


def _own(held: AuxiliaryHead) -> bool:
    """Returns whether a task shows the extractor other images than the target's."""
    return held.auxiliary.transforms_images


def _shown(held: AuxiliaryHead, images: Any, labels: Any, training: bool) -> tuple[Any, Any]:
    if training and held.fraction < 1:
        # The first images, since minibatches are drawn at random.
        count = _part(ops.shape(images)[0], held.fraction)
        images, labels = images[:count], labels[:count]
    return held.auxiliary.transform(images, labels, training)


def _part(count: Any, fraction: float) -> Any:
    """Returns a fraction of a number of images, rounded up; the number may be a tensor."""
    part = Fraction(fraction).limit_denominator(10_000)
    # The smallest fraction is at least one image.
    return (count * max(part.numerator, 1) + part.denominator - 1) // part.denominator


def _replaced(images: Any, first: Any) -> Any:
    """Returns images whose first ones are replaced."""
    _check_shapes([images, first])
    return ops.concatenate([first, images[ops.shape(first)[0] :]], axis=0)


def _extract(task: Task, batches: Sequence[Any], training: bool) -> list[Any]:
    """Returns the features of each batch; all batches share one pass."""
    if len(batches) == 1:
        return [task.extractor(batches[0], training=training)]
    _check_shapes(batches)
    features = task.extractor(ops.concatenate(batches, axis=0), training=training)
    found, end = [], 0
    for batch in batches:
        begin, end = end, end + ops.shape(batch)[0]
        found.append(features[begin:end])
    return found


def _check_shapes(batches: Sequence[Any]) -> None:
    shapes = [tuple(batch.shape[1:]) for batch in batches]
    if len(set(shapes)) > 1:
        raise ValueError(
            f"images of {', '.join(map(str, shapes))} cannot share a pass; expected one shape: "
            "give square images of an even size, or the task passes='separate'"
        )
