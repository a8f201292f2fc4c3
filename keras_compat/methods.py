"""Methods that make networks compatible, and the bounds beside them (Sec. 3, 4).

Flags, reports and studies take names and meanings from here; no backend is needed for them. Each
auxiliary task with a token is a method, see `keras_compat.auxiliary.AUXILIARIES`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from keras_compat.auxiliary import AUXILIARIES
from keras_compat.errors import InputError, unknown_name
from keras_compat.registry import Registry

IIW = "iiw"
INDEPENDENT = "independent"
# Each network alone, with a rotation head of its own and without (Sec. 4).
UPPER_BOUND = "upper_bound"
UPPER_BOUND_WITHOUT_ROTATION = "upper_bound_without_rotation"
UPPER_BOUNDS = (UPPER_BOUND, UPPER_BOUND_WITHOUT_ROTATION)
# Not a method, but a cell as well: rotation learnt on other images, to start from (Sec. 4).
PRETRAINING = "pretraining"

FIGURE_2 = ("independent", "iiw", "rp", "dcc", "iiw+rp", "iiw+dcc", "rp+dcc", "iiw+rp+dcc")
"""The methods of Fig. 2."""


@dataclass(frozen=True)
class Method:
    """The changes that a method makes to the training of two or more networks.

    Args:
        name: `"independent"`, a bound, or tokens joined by `+` in the order of the paper.
        meaning: One line for help and reports; `""` for joined methods.
        identical_weights: Whether all networks start from the same weights (IIW, Sec. 3.3).
        auxiliaries: Names of the auxiliary tasks, see `keras_compat.auxiliary.AUXILIARIES`.
        shared: Whether all networks have the same auxiliary heads, or one each (the bound's).
        joins: Whether the method can be joined with others.
    """

    name: str
    meaning: str = ""
    identical_weights: bool = False
    auxiliaries: tuple[str, ...] = ()
    shared: bool = True
    joins: bool = True

    @property
    def paired(self) -> tuple[str, ...]:
        """Those auxiliary tasks that compare two extractors, which then train at once."""
        return tuple(name for name in self.auxiliaries if AUXILIARIES[name].needs_pairs)

    @property
    def single(self) -> tuple[str, ...]:
        """Those auxiliary tasks that each network has by itself."""
        return tuple(name for name in self.auxiliaries if not AUXILIARIES[name].needs_pairs)

    @property
    def needs(self) -> tuple[str, ...]:
        """Conditions of its auxiliary tasks beside images."""
        return tuple(need for name in self.auxiliaries for need in AUXILIARIES[name].needs)


METHODS: Registry[Method] = Registry("method")
"""The methods that are not made by an auxiliary task alone."""
METHODS.register(INDEPENDENT)(
    Method(INDEPENDENT, "each network by itself, from other initial weights", joins=False)
)
METHODS.register(IIW)(Method(IIW, "identical initial weights", identical_weights=True))
METHODS.register(UPPER_BOUND)(
    Method(
        UPPER_BOUND,
        "each network by itself, with a rotation head of its own, not recombined",
        auxiliaries=("rotation",),
        shared=False,
        joins=False,
    )
)
METHODS.register(UPPER_BOUND_WITHOUT_ROTATION)(
    Method(UPPER_BOUND_WITHOUT_ROTATION, "each network by itself, not recombined", joins=False)
)


def known_methods() -> dict[str, Method]:
    """Returns all methods that are no combination, in the order in which names and help have them.

    Example:

    >>> list(known_methods())[:4], known_methods()["dcc"].auxiliaries
    (['independent', 'iiw', 'rp', 'dcc'], ('common_classes',))
    """
    entries = {name: AUXILIARIES[name] for name in AUXILIARIES}
    tasks = {
        entry.token: Method(entry.token, entry.meaning, auxiliaries=(name,))
        for name, entry in entries.items()
        if entry.token
    }
    others = {name: METHODS[name] for name in METHODS}
    first = {name: others.pop(name) for name in (INDEPENDENT, IIW)}
    return {**first, **tasks, **others}


def parse_method(text: str) -> Method:
    """Reads the name of a method.

    Args:
        text: Name of a method, or several that can be joined with `+` between: `"iiw+rp"`.

    Returns:
        The method, its parts in a fixed order.

    Raises:
        InputError: if a part is unknown or comes twice, or cannot be joined with others.

    Example:

    >>> parse_method("rp+iiw").name, parse_method("dcc").auxiliaries
    ('iiw+rp', ('common_classes',))
    """
    known = known_methods()
    tokens = [token.strip() for token in text.split("+")]
    if len(tokens) == 1 and tokens[0] in known:
        return known[tokens[0]]
    alone = [token for token in tokens if token in known and not known[token].joins]
    if alone:
        raise InputError(
            f"method {text!r} joins {alone[0]!r} with others; expected it by itself, as it is "
            "training without any of them"
        )
    order = list(known)
    for token in tokens:
        if token not in known:
            raise unknown_name(f"method in {text!r}", token, order)
    if len(set(tokens)) < len(tokens):
        raise InputError(f"method {text!r} names a part twice; expected each once")
    tokens.sort(key=order.index)
    parts = [known[token] for token in tokens]
    auxiliaries = dict.fromkeys(name for part in parts for name in part.auxiliaries)
    identical = any(part.identical_weights for part in parts)
    return Method("+".join(tokens), identical_weights=identical, auxiliaries=tuple(auxiliaries))


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


def method_name(method: str) -> str:
    """Returns a method's name as the paper writes it.

    Returns:
        Such as `"IIW+RP"`; a part that this release does not know stays as it is.

    Example:

    >>> method_name("iiw+rp"), method_name("iiw+jigsaw"), method_name("independent")
    ('IIW+RP', 'IIW+jigsaw', 'independent')
    >>> method_name("upper_bound"), method_name("upper_bound_without_rotation")
    ('upper bound', 'upper bound, no RP')
    """
    if method == UPPER_BOUND_WITHOUT_ROTATION:
        return "upper bound, no RP"
    # A token that is not the name of its task is an abbreviation.
    short = {IIW, *(AUXILIARIES[name].token for name in AUXILIARIES)} - {*AUXILIARIES}
    return "+".join(
        token.upper() if token in short else token.replace("_", " ") for token in method.split("+")
    )


def is_papers_combination(method: str) -> bool:
    """Returns whether a method joins two or three of the paper's own.

    Example:

    >>> [is_papers_combination(method) for method in ("iiw+dcc", "iiw", "iiw+fm")]
    [True, False, False]
    """
    parts = set(method.split("+"))
    return len(parts) > 1 and parts <= {"iiw", "rp", "dcc"}


def glossary(methods: Iterable[str]) -> list[str]:
    """Returns the meanings of methods' names, a line for each part of them.

    Returns:
        Lines in the order of `known_methods`; last the parts that this release does not know.

    Example:

    >>> glossary(["iiw+rp", "iiw+newer"])
    ['IIW: identical initial weights', 'RP: a shared head predicts rotation',
     'newer: not known to this release']
    """
    parts = dict.fromkeys(part for method in methods for part in method.split("+"))
    known = known_methods()
    found = [f"{method_name(p)}: {known[p].meaning}" for p in known if p in parts]
    unknown = [f"{method_name(p)}: not known to this release" for p in parts if p not in known]
    return found + unknown
