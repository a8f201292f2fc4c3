"""Baselines: ways to recombine the same networks that need no compatible training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from keras_compat.errors import InputError
from keras_compat.methods import INDEPENDENT, UPPER_BOUND, method_name
from keras_compat.reporting import figures
from keras_compat.reporting.records import Record, unique
from keras_compat.reporting.section import Section
from keras_compat.reporting.table import MISSING, Table, percent
from keras_compat.studies.analysis import Analysis
from keras_compat.studies.cells import Asked, Cell, Known
from keras_compat.studies.charts import bars_by_method, chart

if TYPE_CHECKING:
    from keras_compat.evaluation.baselines import Baseline
    from keras_compat.studies.trained import Trained

STUDY = "baselines"

_NONE = "none, batch statistics"


def cells(known: Known, seed: int) -> list[Asked]:
    """Returns independent training, and compatible training that baselines may add to."""
    methods = (INDEPENDENT, known.possible("iiw+rp+dcc"))
    measured = [Asked(Cell(method, seed), ("matrix", "baselines")) for method in methods]
    return [*measured, Asked(Cell(UPPER_BOUND, seed))]


def measure(trained: Trained) -> list[Record]:
    """Returns recombination accuracy with each baseline."""
    from keras_compat.evaluation.baselines import BASELINES
    from keras_compat.networks import feature_interface

    records = []
    for name in BASELINES:
        baseline = BASELINES[name]
        try:
            values = {(e, h): _accuracy(trained, baseline, e, h) for e, h in trained.pairs}
        except InputError:
            interfaces = {feature_interface(x) for x in trained.extractors.values()}
            if len(interfaces) == 1:
                raise
            # Features of another height and width, which some baselines cannot bridge.
            continue
        records += trained.recombined(values, baseline=name, needs=baseline.needs)
    return records


MEASURES = {"baselines": measure}


def _accuracy(trained: Trained, baseline: Baseline, e: str, h: str) -> float:
    from keras_compat.evaluation import recombination_accuracy
    from keras_compat.evaluation.baselines import Pair

    datasets, networks = trained.datasets, trained.networks
    pair = Pair(
        networks[e].extractor,
        datasets[e].train,
        datasets[e].class_names,
        networks[h].extractor,
        networks[h].head,
        datasets[h].train,
        datasets[h].class_names,
        seed=trained.cell.seed,
        aliases=trained.aliases,
    )
    connected = baseline.connect(pair)
    examples, classes = trained.common_examples(e, h)
    return recombination_accuracy(
        connected.extractor,
        connected.head,
        examples,
        classes=classes,
        batch_size=trained.batch_size,
        statistics=connected.statistics,
    )


def sections(analysis: Analysis) -> Iterator[Section]:
    measured = unique(analysis.all(STUDY, "recombination_accuracy"), "baseline")
    if not measured:
        return
    names = ("", *measured)
    labels = [name.replace("_", " ") or _NONE for name in names]

    def values(method: str) -> list:
        return [analysis.recombination(STUDY, method=method, baseline=name) for name in names]

    methods = analysis.methods(STUDY)
    header = ["baseline", *map(method_name, methods)]
    columns = [labels, *(list(map(percent, values(method))) for method in methods)]
    needs = [_needs(analysis, name) for name in measured]
    if any(text != MISSING for text in needs):
        header.append("needs")
        columns.append(["nothing", *needs])
    text = (
        "Each connects networks after they were trained, on the networks of the methods that head "
        "the columns: on independent networks it is what can be had without compatible training, "
        "on the others it is what is left to gain. Recombination accuracies in percent, the "
        "average over all pairs."
    )
    picture = chart(
        analysis,
        STUDY,
        figures.draw_bars,
        "baselines.png",
        "Baselines on networks of several methods",
        groups=labels,
        bars=bars_by_method(analysis, STUDY, values),
        across=True,
    )
    yield Section(
        "Baselines that need no compatible training",
        [text],
        [Table(header, list(zip(*columns, strict=True)))],
        [picture],
    )


def _needs(analysis: Analysis, baseline: str) -> str:
    keys = {"baseline": baseline, "method": None}
    found = unique(analysis.find("recombination_accuracy", STUDY, **keys), "needs")
    return found[0] if found else MISSING
