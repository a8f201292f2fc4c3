"""The studies: which cells each figure of Sec. 4 and the appendices needs.

To add one: a function from a configuration and what is known of the data to what it asks for, and
its name in the registry.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keras_compat.errors import InputError
from keras_compat.experiments.compatibility_analysis.methods import (
    IIW,
    INDEPENDENT,
    UPPER_BOUND,
    UPPER_BOUND_WITHOUT_ROTATION,
)
from keras_compat.experiments.compatibility_analysis.variants import VARIANTS
from keras_compat.registry import Registry
from keras_compat.studies.cells import Asked, Cell

if TYPE_CHECKING:
    from keras_compat.experiments.compatibility_analysis.settings import Config

Wanted = list[Asked]


@dataclass(frozen=True)
class Known:
    """What the studies have to know of data and networks.

    Attributes:
        networks: their names.
        common: how many classes all data sets have in common.
        splits: the points at which all networks can be split, in order.
        own_split: the one at which they are, where it is the same for all.
        colour: whether the images are in colour.
    """

    networks: Sequence[str]
    common: int
    splits: Sequence[str]
    own_split: str | None
    colour: bool


STUDIES: Registry[Callable[[Config, Known], Wanted]] = Registry("study")


def cells_of(config: Config, known: Known) -> dict[str, Wanted]:
    """Returns what each study of a run asks for, each cell once, for all of its seeds."""
    found = {study: STUDIES[study](config, known) for study in config.studies}
    return {study: list({a.cell: a for a in wanted}.values()) for study, wanted in found.items()}


def _seeds(config: Config) -> range:
    return range(config.seed, config.seed + config.seeds)


def _possible(config: Config, method: str) -> str:
    """Returns a study's usual method, without IIW where the architectures differ."""
    if len(set(config.architectures)) == 1:
        return method
    return "+".join(part for part in method.split("+") if part != IIW) or INDEPENDENT


@STUDIES.register("methods")
def methods(config: Config, known: Known) -> Wanted:
    """Fig. 2, 3 and 10: every method beside both upper bounds.

    Without a rotation head the bound is independent training, which serves for both.
    """
    bounds = [UPPER_BOUND]
    if INDEPENDENT not in config.methods:
        bounds.append(UPPER_BOUND_WITHOUT_ROTATION)
    return [
        Asked(Cell(method, seed), ("matrix", "correlation"))
        for seed in _seeds(config)
        for method in (*config.methods, *bounds)
    ]


@STUDIES.register("same_data")
def same_data(config: Config, known: Known) -> Wanted:
    """B.2, Fig. 7: all networks on the first data set."""
    return [
        Asked(Cell(method, seed, same_data=True))
        for seed in _seeds(config)
        for method in (*config.methods, UPPER_BOUND)
    ]


@STUDIES.register("incremental")
def incremental(config: Config, known: Known) -> Wanted:
    """Sec. 4, joint against incremental training, each network first once."""
    method = _possible(config, "iiw+rp+dcc")
    return [
        Asked(cell)
        for seed in _seeds(config)
        for cell in (
            Cell(method, seed),
            *(Cell(method, seed, first=name) for name in known.networks),
            Cell(UPPER_BOUND, seed),
        )
    ]


@STUDIES.register("pretrained")
def pretrained(config: Config, known: Known) -> Wanted:
    """Sec. 4, starting from pre-trained models; with the same methods from scratch beside."""
    return [
        Asked(Cell(method, seed, pretrained=start), ("matrix", "correlation"))
        for seed in _seeds(config)
        for start in (True, False)
        for method in (*config.methods, UPPER_BOUND)
    ]


@STUDIES.register("normalization")
def normalization(config: Config, known: Known) -> Wanted:
    """B.1, Fig. 6: alternatives to batch statistics, and how large a batch must be."""
    method = _possible(config, "iiw+dcc")
    found: Wanted = []
    for seed in _seeds(config):
        found.append(Asked(Cell(method, seed), ("matrix", "statistics", "batch_sizes")))
        for name in ("layer", "instance"):
            found.append(Asked(Cell(method, seed, normalization=name)))
        for name in ("unit_length", "unit_length_loss"):
            found.append(Asked(Cell(method, seed, features=name)))
        found.append(Asked(Cell(UPPER_BOUND, seed)))
    return found


@STUDIES.register("splits")
def splits(config: Config, known: Known) -> Wanted:
    """B.3, Fig. 8: every split point, and of rotation alone too."""
    if not known.splits:
        raise InputError(
            f"the architectures {', '.join(config.architectures)} have no split point in common; "
            "leave out the study 'splits'"
        )
    tried = dict.fromkeys((_possible(config, "iiw+rp"), "rp"))
    found: Wanted = []
    for seed in _seeds(config):
        for method in tried:
            for split in known.splits:
                if split == known.own_split:
                    # The cell that other studies have too, where the split goes without saying.
                    found.append(Asked(Cell(method, seed), keys={"split": split}))
                else:
                    found.append(Asked(Cell(method, seed, split=split)))
        found.append(Asked(Cell(UPPER_BOUND, seed)))
    return found


@STUDIES.register("common_classes")
def common_classes(config: Config, known: Known) -> Wanted:
    """B.4, Fig. 9: fewer common classes, and as many images of all classes as a control."""
    varied = _possible(config, "iiw+dcc")
    # The paper's level of comparison is from the same initial weights too.
    beside = dict.fromkeys(_possible(config, method) for method in ("iiw", "rp", "iiw+rp"))
    found: Wanted = []
    for seed in _seeds(config):
        for count in range(2, known.common):
            for control in (False, True):
                cell = Cell(varied, seed, common_classes=count, control=control)
                found.append(Asked(cell))
        for method in (varied, *beside, UPPER_BOUND):
            found.append(Asked(Cell(method, seed)))
    return found


@STUDIES.register("baselines")
def baselines(config: Config, known: Known) -> Wanted:
    """What recombines networks without compatible training, alone and on top of it."""
    found: Wanted = []
    for seed in _seeds(config):
        for method in (INDEPENDENT, _possible(config, "iiw+rp+dcc")):
            found.append(Asked(Cell(method, seed), ("matrix", "baselines")))
        found.append(Asked(Cell(UPPER_BOUND, seed)))
    return found


@STUDIES.register("auxiliaries")
def auxiliaries(config: Config, known: Known) -> Wanted:
    """Appendix A: other self-supervised tasks in the place of rotation, and feature matching.

    Where images are grey there is nothing to colour, and that task is left out.
    """
    photographs = ["colorization"] if known.colour else []
    tasks = ("rp", "jigsaw", *photographs, "exemplar", "contrastive", "fm")
    with_iiw = ("iiw", *(f"iiw+{task}" for task in tasks))
    methods = (INDEPENDENT, *tasks, *(_possible(config, method) for method in with_iiw))
    chosen = dict.fromkeys((*methods, UPPER_BOUND))
    return [Asked(Cell(method, seed)) for seed in _seeds(config) for method in chosen]


@STUDIES.register("rotation")
def rotation(config: Config, known: Known) -> Wanted:
    """What moves rotation prediction, the most general method."""
    return [
        Asked(cell)
        for seed in _seeds(config)
        for cell in (
            Cell("rp", seed),
            *(Cell("rp", seed, variant=name) for name in VARIANTS),
            Cell(UPPER_BOUND, seed),
        )
    ]


@STUDIES.register("signals")
def signals(config: Config, known: Known) -> Wanted:
    """How well what can be measured without labels predicts recombination accuracy."""
    return [
        Asked(Cell(method, seed), ("signals",))
        for seed in _seeds(config)
        for method in (*config.methods, UPPER_BOUND)
    ]


@STUDIES.register("calibration")
def calibration(config: Config, known: Known) -> Wanted:
    """How many images a recombined pair needs to be given moving statistics."""
    found: Wanted = []
    for seed in _seeds(config):
        for method in config.methods:
            found.append(Asked(Cell(method, seed), ("matrix", "calibration")))
        found.append(Asked(Cell(UPPER_BOUND, seed)))
    return found


@STUDIES.register("cost")
def cost(config: Config, known: Known) -> Wanted:
    """B.6: needs no training, see `keras_compat.experiments.compatibility_analysis.cost`."""
    return []
