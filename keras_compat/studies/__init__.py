"""The studies of the compatibility analysis, one file each.

To add one: a file with the functions that `Study` names, and one line in `STUDIES`. Help, report
and tests take it from there. The order of the lines is that of the report's sections.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keras_compat.errors import unknown_name
from keras_compat.registry import Lazy, Registry
from keras_compat.studies.cells import Asked, Known

if TYPE_CHECKING:
    from keras_compat.reporting.records import Record
    from keras_compat.reporting.section import Section
    from keras_compat.studies.analysis import Analysis
    from keras_compat.studies.trained import Trained


@dataclass(frozen=True)
class Study(Lazy):
    """A study, whose module is imported when the study is first used.

    The module has two functions. `cells(known, seed)` returns what to train and measure for one
    seed. `sections(analysis)` yields what the report shows, nothing if the study was not run. A
    module that measures something of its own has `MEASURES`: functions from a `Trained` to records,
    by name. Neither Keras nor Matplotlib is imported for cells and sections.

    Example:

    >>> from keras_compat.studies import STUDIES
    >>> known = Known(["a", "b"], 4, ["stem", "stage1"], "stem", True, ["resnet8"], ["rp"], [0])
    >>> [asked.cell.name for asked in STUDIES["same_data"].cells(known, seed=0)]
    ['rp_same-data_seed0', 'upper_bound_same-data_seed0']
    """

    def cells(self, known: Known, seed: int) -> list[Asked]:
        """Returns the cells of one seed, with what to measure on each."""
        return self.load().cells(known, seed)

    def sections(self, analysis: Analysis) -> list[Section]:
        """Returns the study's part of the report."""
        return list(self.load().sections(analysis))


STUDIES: Registry[Study] = Registry("study")
for _name, _meaning in {
    "methods": "every method (Fig. 2, 3, 10)",
    "incremental": "one network after the other, with frozen auxiliary heads (Sec. 3.4, 4)",
    "pretrained": "from weights that learnt rotation on other images (Sec. 4)",
    "normalization": "alternatives to batch statistics, and the batch size at inference (B.1)",
    "calibration": "how many images a recombined pair needs for moving statistics",
    "same_data": "all networks on the first data set (Appendix B.2)",
    "splits": "every split point (B.3)",
    "common_classes": "fewer common classes, and as many images of all (B.4)",
    "baselines": "what recombines networks without compatible training",
    "auxiliaries": "other auxiliary tasks in the place of rotation (Appendix A)",
    "rotation": "what moves rotation prediction",
    "signals": "how well what needs no labels predicts recombination accuracy",
    "cost": "what each method costs (B.6)",
}.items():
    STUDIES.register(_name)(Study(f"keras_compat.studies.{_name}", _meaning))


def cells_of(studies: Iterable[str], known: Known) -> dict[str, list[Asked]]:
    """Returns what each study of a run asks for, each cell once, for all seeds.

    Raises:
        InputError: if a study is unknown, or cannot be made of the run's networks.
    """
    found = {}
    for study in studies:
        asked = [a for seed in known.seeds for a in STUDIES[study].cells(known, seed)]
        found[study] = list({a.cell: a for a in asked}.values())
    return found


def find_measure(name: str) -> Callable[[Trained], list[Record]]:
    """Returns the function that takes a measure, of whichever study has it."""
    known: dict[str, Callable[[Trained], list[Record]]] = {}
    for study in STUDIES:
        known |= getattr(STUDIES[study].load(), "MEASURES", {})
    if name not in known:
        raise unknown_name("measure", name, known)
    return known[name]
