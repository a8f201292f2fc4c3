"""What each method costs: time, memory and operations of a step, by number of networks (B.6)."""

from __future__ import annotations

import multiprocessing
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import cycle, islice
from typing import TYPE_CHECKING

import numpy as np

from keras_compat.jobs.compatibility_analysis.config import Config
from keras_compat.jobs.compatibility_analysis.methods import IIW
from keras_compat.jobs.start_up import quiet_start
from keras_compat.reporting.records import Record, make_record

if TYPE_CHECKING:
    from keras_compat.jobs.progress import Terminal
    from keras_compat.training import Task

PLAIN = "independent"
METHODS = (PLAIN, "rp", "dcc", "rp+dcc", "fm")
COUNTS = (2, 4, 8)
# Forward, and the gradients by inputs and by weights.
PASSES = 3
# Enough to see how many images an auxiliary task makes of one.
EXAMPLES = 2


@dataclass(frozen=True)
class Cost:
    """The cost of a round, in which every network takes one step.

    Attributes:
        step_time_s: the median of several measurements.
        flops: floating-point operations, counted from the networks' shapes.
        peak_memory_gib: of the process, with the libraries and one copy of each data set; on a
            GPU what the host held.
    """

    step_time_s: float
    flops: int
    peak_memory_gib: float | None


def measure_costs(
    config: Config, terminal: Terminal, rounds: int = 10, repeats: int = 2
) -> list[Record]:
    """Measures a round of each method for 2, 4 and 8 networks, in a process of its own.

    Methods take turns, several times over, so that a busy machine disturbs all alike.

    Args:
        config: of the run; its data sets serve in turn for more networks than there are sets.
        terminal: where progress is shown.
        rounds: of one measurement.
        repeats: processes for each method and number of networks.

    Returns:
        Records of the study `cost`.
    """
    records = []
    # IIW changes the first weights only: its steps are those of the method without it.
    asked = ("+".join(t for t in m.split("+") if t != IIW) for m in config.methods)
    methods = list(dict.fromkeys([*METHODS, *filter(None, asked)]))
    for count in COUNTS:
        found: dict[str, list[Cost]] = {method: [] for method in methods}
        for _ in range(repeats):
            for method in methods:
                terminal.line(f"cost of {method} for {count} networks")
                found[method].append(_in_process(config, method, count, rounds))
        plain = _typical(found[PLAIN])
        for method, costs in found.items():
            records += _records(method, count, _typical(costs), plain)
    return records


def _typical(costs: list[Cost]) -> Cost:
    memory = [cost.peak_memory_gib for cost in costs]
    return replace(
        costs[0],
        step_time_s=statistics.median(cost.step_time_s for cost in costs),
        peak_memory_gib=None if None in memory else statistics.median(memory),
    )


def _records(method: str, count: int, cost: Cost, plain: Cost) -> list[Record]:
    figures = {
        "step_time_s": cost.step_time_s,
        "step_time_ratio": cost.step_time_s / plain.step_time_s,
        "flops_per_step": cost.flops,
        "flops_ratio": cost.flops / plain.flops,
        "peak_memory_gib": cost.peak_memory_gib,
    }
    return [
        make_record(metric, value, method=method, networks=count)
        for metric, value in figures.items()
        if value is not None
    ]


def _in_process(config: Config, method: str, count: int, rounds: int) -> Cost:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_measure, config, method, count, rounds).result()


def _measure(config: Config, method: str, count: int, rounds: int) -> Cost:
    # Imported late: these start a backend, in the process that is measured.
    with quiet_start():
        from keras_compat.jobs.compatibility_analysis.cells import Cell
        from keras_compat.jobs.compatibility_analysis.groups import load_group
        from keras_compat.jobs.compatibility_analysis.training import make_setup
        from keras_compat.jobs.training import make_optimizer
        from keras_compat.reporting.hardware import peak_memory_gib
        from keras_compat.training import Trainer

    config = replace(
        config,
        datasets=tuple(islice(cycle(config.datasets), count)),
        architectures=tuple(islice(cycle(config.architectures), count)),
    )
    setup = make_setup(config, Cell(method, config.seed), load_group(config))
    tasks = list(setup.tasks.values())
    trainer = Trainer(tasks)
    trainer.compile(make_optimizer(config.training))

    def seconds(count: int) -> float:
        begin = time.perf_counter()
        size = config.training.batch_size
        trainer.fit(setup.data, batch_size=size, steps_per_epoch=count, verbose=0)
        return time.perf_counter() - begin

    # The first rounds trace and compile the step.
    seconds(2)
    # What `fit` takes to start is in both measurements.
    times = [(seconds(3 * rounds) - seconds(rounds)) / (2 * rounds) for _ in range(3)]
    return Cost(
        statistics.median(times),
        sum(count_task_flops(task) for task in tasks) * config.training.batch_size,
        peak_memory_gib(),
    )


def count_task_flops(task: Task) -> int:
    """Counts the operations that one example costs a task in a step.

    Args:
        task: of the trainer.

    Returns:
        Forward and backward passes through the extractor and all heads, once for the target task
        and once for each image that an auxiliary task shows.
    """
    from keras_compat import networks

    # Side by side, extractors cost what they do by themselves.
    inner = [layer for layer in task.extractor.layers if hasattr(layer, "layers")]
    extractor = sum(networks.count_flops(each) for each in inner or [task.extractor])
    features = task.extractor.output_shape[1:]
    total = extractor
    if task.head is not None:
        total += networks.count_flops(task.head, features)
    for held in task.auxiliaries:
        images = np.zeros((EXAMPLES, *task.extractor.input_shape[1:]), "float32")
        labels = np.zeros(EXAMPLES, "int32")
        shown = held.auxiliary.transform(images, labels, training=False)[0].shape[0] // EXAMPLES
        if held.auxiliary.transforms_images:
            total += shown * extractor
        if held.head is not None:
            total += shown * networks.count_flops(held.head, features)
    return PASSES * total
