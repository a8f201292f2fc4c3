"""Seeded, stratified splits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from keras_compat.errors import InputError


def stratified_split(
    labels: np.ndarray, sizes: Sequence[int] | Sequence[float], seed: int
) -> list[np.ndarray]:
    """Splits examples into disjoint parts with the same share of every class.

    scikit-learn's `train_test_split` refuses classes with one example and parts smaller than the
    number of classes. Both occur here, as with a few recalibration images of a large set. So the
    share of each class is rounded by largest remainder.

    Args:
        labels: int `[N]`; -1 (no label) counts as a class of its own.
        sizes: Sizes of the parts: all int (numbers of examples) or all float (fractions of N).
            Other examples are in no part.

    Returns:
        A sorted int64 array of indices for each part, of exactly the given size; fractions with
        the sum 1 use every example. The count of a class in a part is its share, rounded up or
        down, if earlier parts leave enough.

    Raises:
        InputError: If a size is negative, or the parts need more examples than there are.

    Example:

    >>> labels = np.repeat([0, 1], [80, 20])
    >>> large, small = stratified_split(labels, (0.9, 0.1), seed=0)
    >>> np.bincount(labels[large]).tolist(), np.bincount(labels[small]).tolist()
    ([72, 18], [8, 2])
    """
    labels = np.asarray(labels)
    counts = _part_sizes(len(labels), sizes)
    random = np.random.default_rng(seed)
    _, classes = np.unique(labels, return_inverse=True)
    # Examples of each class in random order; each part takes the first ones left.
    queues = [
        random.permutation(np.flatnonzero(classes == c)) for c in range(classes.max(initial=-1) + 1)
    ]
    parts = []
    for count in counts:
        left = np.array([len(queue) for queue in queues], np.int64)
        take = _apportion(count, left, random)
        part = [queue[:k] for queue, k in zip(queues, take, strict=True)]
        queues = [queue[k:] for queue, k in zip(queues, take, strict=True)]
        parts.append(np.sort(np.concatenate([np.empty(0, np.int64), *part])))
    return parts


def _part_sizes(total: int, sizes: Sequence[int] | Sequence[float]) -> list[int]:
    """Converts sizes or fractions to numbers of examples."""
    if any(size < 0 for size in sizes):
        raise InputError(f"split sizes are {list(sizes)}; expected none below 0")
    if all(isinstance(size, (int, np.integer)) for size in sizes):
        if sum(sizes) > total:
            raise InputError(f"split sizes are {list(sizes)}, but there are {total} examples")
        return [int(size) for size in sizes]
    if sum(sizes) > 1 + 1e-9:
        raise InputError(f"split fractions are {list(sizes)}; expected a sum of at most 1")
    # The cumulative sum is rounded, so that fractions with the sum 1 use every example.
    edges = np.rint(np.cumsum([0.0, *sizes]) * total).astype(int)
    return np.diff(edges).tolist()


def _apportion(count: int, available: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Divides `count` among classes in proportion to their examples (largest remainder)."""
    if count == 0:
        return np.zeros_like(available)
    quota = available * (count / available.sum())
    take = np.floor(quota + 1e-9).astype(np.int64)
    # Ties are broken at random, so that no class is preferred.
    order = np.lexsort((random.permutation(len(available)), take - quota))
    take[order[: count - take.sum()]] += 1
    return take
