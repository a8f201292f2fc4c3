"""Which images go through an extractor in a step of a task, and in how many passes."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from keras import ops

from keras_compat.training.task import AuxiliaryHead, Task


class Seen(NamedTuple):
    """What an auxiliary task's loss is made of.

    Attributes:
        held: the task.
        targets: what is to be predicted, see `Auxiliary.transform`.
        features: of the images that it shows.
    """

    held: AuxiliaryHead
    targets: Any
    features: Any


def run_passes(
    task: Task, auxiliaries: Sequence[AuxiliaryHead], images: Any, labels: Any, training: bool
) -> tuple[Any, list[Seen]]:
    """Shows a minibatch to a task's extractor.

    Args:
        task: with its extractor, and how many passes there are.
        auxiliaries: those of the task that take part.
        images: `[B, H, W, C]`, augmented.
        labels: int32 `[B]`.
        training: whether fractions count and passes are shared; evaluation shows all images, and
            the target head upright ones, in passes of their own.

    Returns:
        The features for the target head, `None` where nothing asks for them, and what each
        auxiliary task has seen.

    Raises:
        ValueError: if images are to share a pass and differ in shape.
    """
    shown = [_shown(held, images, labels, training) for held in auxiliaries]
    others = [turned for held, (turned, _) in zip(auxiliaries, shown, strict=True) if _own(held)]
    # The images themselves, unless nothing asks for their features.
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
    """Whether a task shows the extractor other images than the target's."""
    return held.auxiliary.transforms_images


def _shown(held: AuxiliaryHead, images: Any, labels: Any, training: bool) -> tuple[Any, Any]:
    if training and held.fraction < 1:
        # The first ones: minibatches are drawn at random.
        count = _part(ops.shape(images)[0], held.fraction)
        images, labels = images[:count], labels[:count]
    return held.auxiliary.transform(images, labels, training)


def _part(count: Any, fraction: float) -> Any:
    """Returns a fraction of a number of images, rounded up; the number may be a tensor."""
    part = Fraction(fraction).limit_denominator(10_000)
    # Of the smallest fractions one image too.
    return (count * max(part.numerator, 1) + part.denominator - 1) // part.denominator


def _replaced(images: Any, first: Any) -> Any:
    """Returns images of which the first ones are others."""
    _check_shapes([images, first])
    return ops.concatenate([first, images[ops.shape(first)[0] :]], axis=0)


def _extract(task: Task, batches: Sequence[Any], training: bool) -> list[Any]:
    """Returns the features of each of some batches, which go through the extractor in one pass."""
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
