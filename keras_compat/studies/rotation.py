"""Rotation prediction in the run's own setting and in changed ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from keras_compat.methods import UPPER_BOUND, method_name
from keras_compat.reporting import figures
from keras_compat.reporting.records import Summary
from keras_compat.reporting.section import Picture, Section
from keras_compat.reporting.table import number
from keras_compat.studies.analysis import Analysis
from keras_compat.studies.cells import Asked, Cell, Known
from keras_compat.studies.charts import bars_by_method, chart
from keras_compat.studies.result_table import Row, result_table

STUDY = "rotation"


@dataclass(frozen=True)
class Variant:
    """A change of training by which the study looks for what moves rotation prediction.

    Args:
        rounds: Factor of the rounds; the learning rate drops at the same parts of the way.
        learning_rate: Factor of the learning rate.
        constant_rate: Whether the learning rate stays as it is.
        heavier: Factor of the weight of rotation's loss.
        lighter: Divisor of the weight of rotation's loss.
        rotation_assignment: Another assignment of angles, see
            `keras_compat.auxiliary.RotationPrediction`.
        switched_augmentation: Whether images are augmented where they were not, or the reverse.
    """

    rounds: float = 1
    learning_rate: float = 1
    constant_rate: bool = False
    heavier: float = 1
    lighter: float = 1
    rotation_assignment: str | None = None
    switched_augmentation: bool = False


VARIANTS = {
    "three times the rounds": Variant(rounds=3),
    "a third of the learning rate": Variant(learning_rate=1 / 3),
    "three times the learning rate": Variant(learning_rate=3),
    "constant learning rate": Variant(constant_rate=True),
    "a third of rotation's weight": Variant(lighter=3),
    "three times rotation's weight": Variant(heavier=3),
    "all four rotations": Variant(rotation_assignment="all"),
    "augmentation switched": Variant(switched_augmentation=True),
}
"""Changes by name, each of one thing."""


def cells(known: Known, seed: int) -> list[Asked]:
    varied = [Cell("rp", seed, variant=name) for name in VARIANTS]
    return list(map(Asked, [Cell("rp", seed), *varied, Cell(UPPER_BOUND, seed)]))


def sections(analysis: Analysis) -> Iterator[Section]:
    methods = analysis.methods(STUDY)
    if not methods:
        return
    rows = [_row(m, v) for m in methods for v in _variants(analysis)]
    text = (
        "RP is the most general of the methods, since it needs no common classes. Each row changes "
        "one thing of the run's own setting. Compatibility is measured by the upper bound of the "
        "setting unchanged; what changes the networks' own accuracy too shows in the last column, "
        "recombined by own accuracy on the common classes."
    )
    kept = [number(analysis.kept(row.study, **row.keys)) for row in rows]
    yield Section(
        "What moves rotation prediction",
        [text],
        [result_table(analysis, "changed", rows, {"recombined / own head": kept})],
        [_picture(analysis)],
    )


def _variants(analysis: Analysis) -> list[str]:
    """Returns the changes, the run's own setting first."""
    found = analysis.find("recombination_accuracy", STUDY, variant=None, method=None)
    return list(dict.fromkeys(["", *(r.get("variant", "") for r in found)]))


def _row(method: str, variant: str) -> Row:
    label = f"{method_name(method)}: {variant or 'nothing'}"
    return Row(label, STUDY, {"method": method, "variant": variant})


def _picture(analysis: Analysis) -> Picture:
    variants = _variants(analysis)

    def values(method: str) -> list[Summary | None]:
        return [analysis.recombination(STUDY, method=method, variant=v) for v in variants]

    return chart(
        analysis,
        STUDY,
        figures.draw_bars,
        "rotation.png",
        "What moves rotation prediction",
        groups=[variant or "nothing changed" for variant in variants],
        bars=bars_by_method(analysis, STUDY, values),
        across=True,
    )
