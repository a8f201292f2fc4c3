"""The methods that make networks compatible, and the bounds beside them (Sec. 3, 4)."""

from __future__ import annotations

from dataclasses import dataclass

from keras_compat.errors import InputError, unknown_name

# The paper's short names of the auxiliary tasks; the others go by their own.
SHORT = {"rp": "rotation", "dcc": "common_classes"}
AUXILIARIES = {
    **SHORT,
    **{name: name for name in ("jigsaw", "colorization", "exemplar", "contrastive")},
}
IIW = "iiw"
FM = "fm"
INDEPENDENT = "independent"
# Each network alone, with a rotation head of its own and without (Sec. 4).
UPPER_BOUND = "upper_bound"
UPPER_BOUND_WITHOUT_ROTATION = "upper_bound_without_rotation"
# Not a method, but a cell as well: rotation learnt on other images, to start from (Sec. 4).
PRETRAINING = "pretraining"

# Fig. 2, and the combinations that the flag can name beside it.
FIGURE_2 = ("independent", "iiw", "rp", "dcc", "iiw+rp", "iiw+dcc", "rp+dcc", "iiw+rp+dcc")


@dataclass(frozen=True)
class Method:
    """What a method does to the training of two or more networks.

    Attributes:
        name: `"independent"`, a bound, or tokens joined by `+` in the order of the paper.
        identical_weights: whether all networks start from the same weights (IIW, Sec. 3.3).
        auxiliaries: names of the auxiliary tasks, see `keras_compat.auxiliary.AUXILIARIES`.
        matching: whether extractors are trained to emit the same features for the same images
            (FM, not of the paper).
        shared: whether all networks have the same auxiliary heads, or one each (the bound's).
    """

    name: str
    identical_weights: bool = False
    auxiliaries: tuple[str, ...] = ()
    matching: bool = False
    shared: bool = True


def parse_method(text: str) -> Method:
    """Reads the name of a method.

    Args:
        text: `"independent"`, `"upper_bound"`, `"upper_bound_without_rotation"`, or `"iiw"` and
            auxiliary tasks joined by `+`: `"rp"`, `"dcc"`, `"jigsaw"`, `"colorization"`,
            `"exemplar"`, `"contrastive"`; and `"fm"`.

    Returns:
        The method, its tokens in a fixed order.

    Raises:
        InputError: if a token is unknown or comes twice.

    Example:

    >>> parse_method("rp+iiw").name, parse_method("dcc").auxiliaries
    ('iiw+rp', ('common_classes',))
    """
    if text == UPPER_BOUND:
        return Method(text, auxiliaries=("rotation",), shared=False)
    if text in (INDEPENDENT, UPPER_BOUND_WITHOUT_ROTATION):
        return Method(text)
    known = (IIW, *AUXILIARIES, FM)
    tokens = [token.strip() for token in text.split("+")]
    alone = {INDEPENDENT, UPPER_BOUND, UPPER_BOUND_WITHOUT_ROTATION} & set(tokens)
    if alone:
        raise InputError(
            f"method {text!r} joins {alone.pop()!r} with others; expected it by itself, as it is "
            "training without any of them"
        )
    for token in tokens:
        if token not in known:
            raise unknown_name(f"method in {text!r}", token, [INDEPENDENT, *known])
    if len(set(tokens)) < len(tokens):
        raise InputError(f"method {text!r} names a part twice; expected each once")
    tokens.sort(key=known.index)
    return Method(
        "+".join(tokens),
        identical_weights=IIW in tokens,
        auxiliaries=tuple(AUXILIARIES[token] for token in tokens if token in AUXILIARIES),
        matching=FM in tokens,
    )


def parse_methods(text: str) -> tuple[str, ...]:
    """Reads a list of methods with commas between, and returns their names.

    Raises:
        InputError: if a method cannot be read, comes twice, or there is none.

    Example:

    >>> parse_methods("independent,dcc+iiw")
    ('independent', 'iiw+dcc')
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    names = tuple(parse_method(word).name for word in words)
    if not names or len(set(names)) < len(names):
        raise InputError(f"methods are {text!r}; expected at least one, each once: iiw,rp,iiw+rp")
    return names
