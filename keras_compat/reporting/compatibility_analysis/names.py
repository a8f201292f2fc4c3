"""What methods are called in tables and figures."""

from __future__ import annotations

from collections.abc import Sequence

UPPER_BOUND = "upper_bound"
UPPER_BOUND_WITHOUT_ROTATION = "upper_bound_without_rotation"
UPPER_BOUNDS = (UPPER_BOUND, UPPER_BOUND_WITHOUT_ROTATION)

_ABBREVIATIONS = ("iiw", "rp", "dcc", "fm")
_MEANINGS = {
    "independent": "each network by itself, from other initial weights",
    "iiw": "identical initial weights",
    "rp": "a shared head predicts rotation",
    "dcc": "a shared head discriminates the common classes",
    "jigsaw": "a shared head tells in which order the tiles of an image are",
    "colorization": "a shared head predicts the colours of grey images",
    "exemplar": "two views of an image are to have closer features than views of two images",
    "contrastive": "as exemplar, against all images of a batch at once",
    "fm": "extractors learn to emit the same features for the same images, in two more steps a "
    "round that each takes, on each other's images too; not in the paper",
    UPPER_BOUND: "each network by itself, with a rotation head of its own, not recombined",
    UPPER_BOUND_WITHOUT_ROTATION: "each network by itself, not recombined",
}


def method_name(method: str) -> str:
    """Returns a method's name as the paper writes it.

    Args:
        method: as it is in records, such as `"iiw+rp"`.

    Returns:
        Such as `"IIW+RP"`.

    Example:

    >>> method_name("iiw+rp"), method_name("iiw+jigsaw"), method_name("independent")
    ('IIW+RP', 'IIW+jigsaw', 'independent')
    >>> method_name("upper_bound"), method_name("upper_bound_without_rotation")
    ('upper bound', 'upper bound, no RP')
    """
    if method == UPPER_BOUND_WITHOUT_ROTATION:
        return "upper bound, no RP"
    tokens = method.replace("_", " ").split("+")
    return "+".join(token.upper() if token in _ABBREVIATIONS else token for token in tokens)


def is_papers_combination(method: str) -> bool:
    """Returns whether a method joins two or three of the paper's own.

    Example:

    >>> [is_papers_combination(method) for method in ("iiw+dcc", "iiw", "iiw+fm")]
    [True, False, False]
    """
    parts = set(method.split("+"))
    return len(parts) > 1 and parts <= {"iiw", "rp", "dcc"}


def glossary(methods: Sequence[str]) -> list[str]:
    """Returns what the methods' names mean, a line for each part of them.

    Args:
        methods: as they are in records.

    Returns:
        Lines, those of the paper's parts first.

    Example:

    >>> glossary(["iiw+rp", "iiw"])
    ['IIW: identical initial weights', 'RP: a shared head predicts rotation']
    """
    parts = {part for method in methods for part in method.split("+")}
    return [f"{method_name(p)}: {meaning}" for p, meaning in _MEANINGS.items() if p in parts]
