"""Signals that need no labels, beside the recombination accuracy that they are to predict."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from statistics import fmean
from typing import TYPE_CHECKING

from scipy.stats import spearmanr

from keras_compat.errors import InputError
from keras_compat.methods import UPPER_BOUND
from keras_compat.reporting import figures
from keras_compat.reporting.figures import Points
from keras_compat.reporting.records import Record
from keras_compat.reporting.section import Picture, Section
from keras_compat.reporting.table import MISSING, Table
from keras_compat.studies.analysis import Analysis
from keras_compat.studies.cells import Asked, Cell, Known

if TYPE_CHECKING:
    from keras_compat.studies.trained import Trained

STUDY = "signals"
_METRIC = "compatibility_signal"
# The rotation head's accuracy stays out: one head can read two extractors without their features
# being alike. So does what is information by another measure.
_COMBINED = "combined"
_LEFT_OUT = ("rotation", "recovered", "accuracy")
_FEWEST = 3
# Without labels; what a user has at hand.
_IMAGES = 500

WORKS, WORKS_IN_PART = 0.5, 0.2
"""Least parts of a head's information that are recovered, for `verdict`."""


def verdict(recovered: float) -> str:
    """Returns in words what to expect of a pair.

    Args:
        recovered: Signal of that name, see `keras_compat.evaluation.compatibility_signals`.

    Example:

    >>> [verdict(recovered) for recovered in (0.9, 0.3, 0.0)]
    ['works', 'works in part', 'does not work']
    """
    if recovered >= WORKS:
        return "works"
    return "works in part" if recovered >= WORKS_IN_PART else "does not work"


Measured = Mapping[str, float]


def cells(known: Known, seed: int) -> list[Asked]:
    methods = (*known.methods, UPPER_BOUND)
    return [Asked(Cell(method, seed), ("signals",)) for method in methods]


def measure(trained: Trained) -> list[Record]:
    """Returns what tells without labels whether a head works, beside whether it does."""
    from keras_compat import evaluation

    networks, datasets = trained.networks, trained.datasets
    images = {name: evaluation.some_images(datasets[name].train, _IMAGES) for name in networks}
    learnt = {
        name: evaluation.channel_statistics(network.extractor, images[name])
        for name, network in networks.items()
    }
    own = {
        name: evaluation.information(network.extractor, network.head, images[name])
        for name, network in networks.items()
    }
    records = []
    for (e, h), accuracy in trained.matrix().items():
        found = evaluation.compatibility_signals(
            networks[e].extractor,
            networks[h].head,
            images[e],
            rotation_head=networks[h].auxiliary_heads.get("rotation"),
            trained_on=learnt[h],
            own_information=own[h],
            mirror=datasets[e].flippable,
        )
        records += [
            trained.record(_METRIC, value, signal=name, extractor=e, head=h)
            for name, value in {"accuracy": accuracy, **found}.items()
        ]
    return records


MEASURES = {"signals": measure}


def sections(analysis: Analysis) -> Iterator[Section]:
    pairs = _pairs(analysis)
    if not pairs:
        return
    recombined = [found for (_, _, e, h), found in pairs.items() if e != h]
    own = [found for (_, _, e, h), found in pairs.items() if e == h]
    names = list(dict.fromkeys(name for found in pairs.values() for name in found))
    signals = [name for name in names if name != "accuracy"]
    text = (
        "What `python -m apps.components check` measures on images without labels, beside the "
        "accuracy that it is to foretell, of all extractors and heads of all methods. Spearman's "
        "correlation says how well a signal puts pairs in order: 1 is always right, 0 is chance. "
        "The rotation head is that of the head's network, where it was trained with one; "
        "`recovered` is where information lies between that of permuted channels (0) and that of "
        f"the head on its own extractor (1). `{_COMBINED}` is the geometric mean of information, "
        "confidence, agreement and features. "
        f"From {WORKS} of what is recovered on the verdict is that a pair works, from "
        f"{WORKS_IN_PART} on that it does in part; beside it accuracy, as a part of what the head "
        "has with its own extractor."
    )
    rows = [
        [name, *(_correlation(kind, name) for kind in (recombined, recombined + own)), str(count)]
        for name in signals
        if (count := sum(name in found for found in recombined))
    ]
    header = ["signal", "Spearman, recombined pairs", "Spearman, own heads too", "recombined pairs"]
    yield Section(
        "What tells without labels whether a head works",
        [text],
        [Table(header, rows), *_verdicts(pairs)],
        [_picture(analysis, signals, recombined, own)],
    )


def _pairs(analysis: Analysis) -> dict[tuple[str, int, str, str], dict[str, float]]:
    """Returns all that was measured of each extractor with each head."""
    found: dict[tuple[str, int, str, str], dict[str, float]] = {}
    for record in analysis.all(STUDY, _METRIC):
        key = (record["method"], record["seed"], record["extractor"], record["head"])
        found.setdefault(key, {})[record["signal"]] = record["value"]
    for (_, _, e, h), measured in found.items():
        if "accuracy" not in measured:
            raise InputError(f"no record tells the accuracy of {e} with the head of {h}")
        counted = [max(v, 0.0) for name, v in measured.items() if name not in _LEFT_OUT]
        measured[_COMBINED] = math.prod(counted) ** (1 / max(1, len(counted)))
    return found


def _verdicts(pairs: Mapping[tuple[str, int, str, str], Measured]) -> list[Table]:
    """Returns, by verdict, the part of its own accuracy that a head reaches on other extractors."""
    of_own: dict[str, list[float]] = {"works": [], "works in part": [], "does not work": []}
    for (method, seed, e, h), found in pairs.items():
        own = pairs.get((method, seed, h, h))
        if e == h or own is None or "recovered" not in found or not own["accuracy"]:
            continue
        of_own[verdict(found["recovered"])].append(found["accuracy"] / own["accuracy"])
    header = ["verdict", "recombined pairs", "accuracy / own: lowest", "mean", "highest"]
    rows = [
        [name, str(len(parts)), *(f"{f(parts):.2f}" for f in (min, fmean, max))]
        for name, parts in of_own.items()
        if parts
    ]
    return [Table(header, rows)] if rows else []


def _correlation(pairs: Sequence[Measured], name: str) -> str:
    both = [(found[name], found["accuracy"]) for found in pairs if name in found]
    if len(both) < _FEWEST or len({x for x, _ in both}) == 1 or len({y for _, y in both}) == 1:
        return MISSING
    return f"{spearmanr(*zip(*both, strict=True)).statistic:.2f}"


def _picture(
    analysis: Analysis,
    signals: Sequence[str],
    recombined: Sequence[Measured],
    own: Sequence[Measured],
) -> Picture:
    panels = {
        name: [
            Points(label, [(found[name], found["accuracy"]) for found in pairs if name in found])
            for label, pairs in (("recombined", recombined), ("own head", own))
        ]
        for name in signals
    }
    title = "Accuracy over what is measured without labels"
    count = analysis.seeds(STUDY)
    subtitle = f"each point is an extractor with a head; {count} seed{'s' if count > 1 else ''}"
    draw = partial(
        figures.draw_points, panels=panels, title=title, subtitle=subtitle, y_label="accuracy [%]"
    )
    return Picture("signals.png", f"{title}: {subtitle}.", draw)
