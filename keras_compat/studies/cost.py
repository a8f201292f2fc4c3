"""The cost of methods in time, memory and arithmetic (B.6)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from keras_compat.methods import method_name
from keras_compat.reporting import figures
from keras_compat.reporting.figures import Bars, Line, Scale, Series
from keras_compat.reporting.records import Summary, summarise, unique
from keras_compat.reporting.section import Picture, Section
from keras_compat.reporting.table import Table, number
from keras_compat.studies.analysis import Analysis
from keras_compat.studies.cells import Asked, Known

STUDY = "cost"


def cells(known: Known, seed: int) -> list[Asked]:
    """Returns no cells: it needs no training, see `experiments.compatibility_analysis.cost`."""
    return []


def sections(analysis: Analysis) -> Iterator[Section]:
    networks = tuple(sorted(unique(analysis.all(STUDY), "networks")))
    if not networks:
        return
    text = (
        "A step trains every network on one minibatch. The paper: IIW costs nothing, RP doubles "
        "the cost of a task, since each image is processed twice, DCC costs a pass through one "
        "more head; and all grow linearly with the number of networks. Ratios are against plain "
        "training of as many networks in the same run. Peak memory is the host's, of the whole "
        "process with its libraries and one copy of each data set: what a method adds is the "
        "difference to plain training."
    )
    pictures = [_ratios(analysis, networks[0])]
    if len(networks) > 1:
        pictures.append(_growth(analysis))
    yield Section("Cost of training (B.6)", [text], [_table(analysis, networks)], pictures)


def _table(analysis: Analysis, networks: tuple[int, ...]) -> Table:
    # Metric, factor and digits of each column.
    columns = {
        "step [ms]": ("step_time_s", 1e3, 1),
        "step, ratio": ("step_time_ratio", 1, 2),
        "step [GFLOP]": ("flops_per_step", 1e-9, 1),
        "GFLOP, ratio": ("flops_ratio", 1, 2),
        "peak memory [GiB]": ("peak_memory_gib", 1, 2),
    }
    rows = []
    for count in networks:
        for method in analysis.methods(STUDY):
            row = [method_name(method), str(count)]
            for metric, factor, digits in columns.values():
                value = _value(analysis, metric, method, count)
                row.append(number(_times(value, factor), digits))
            rows.append(row)
    return Table(["method", "networks", *columns], rows)


def _ratios(analysis: Analysis, count: int) -> Picture:
    methods = analysis.methods(STUDY)
    bars = [
        Bars(label, [_value(analysis, metric, m, count) for m in methods], colour)
        for label, metric, colour in (
            ("measured time of a step", "step_time_ratio", figures.BLUE),
            ("arithmetic of a step", "flops_ratio", figures.ORANGE),
        )
    ]
    title = f"Cost of training {count} networks"
    draw = partial(
        figures.draw_bars,
        groups=list(map(method_name, methods)),
        bars=bars,
        lines=[Line("plain training", 1.0)],
        title=title,
        scale=Scale("times plain training"),
    )
    return Picture("cost.png", f"{title}, against plain training.", draw)


def _growth(analysis: Analysis) -> Picture:
    series = []
    for method in analysis.methods(STUDY):
        counts = sorted(unique(analysis.find("step_time_s", STUDY, method=method), "networks"))
        points = {n: _value(analysis, "step_time_s", method, n) for n in counts}
        series.append(Series(method_name(method), points))
    title = "Time of a step by number of networks"
    draw = partial(
        figures.draw_lines,
        series=[s for s in series if s.points],
        title=title,
        x_label="networks",
        scale=Scale("time of a step [ms]", 1e3, 0),
    )
    return Picture("cost_networks.png", f"{title}.", draw)


def _value(analysis: Analysis, metric: str, method: str, networks: int) -> Summary | None:
    return summarise(analysis.find(metric, STUDY, method=method, networks=networks))


def _times(value: Summary | None, factor: float) -> Summary | None:
    if value is None:
        return None
    return Summary(factor * value.mean, factor * value.std, value.count)
