"""Measures time, memory and operations of a step of each method, by number of networks (B.6)."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_compat.experiments.compatibility_analysis.settings import Settings
from keras_compat.experiments.start_up import quiet_start
from keras_compat.methods import IIW
from keras_compat.reporting.records import Record, make_record

if TYPE_CHECKING:
    from keras_compat.experiments.compatibility_analysis.training import Setup
    from keras_compat.experiments.runner.terminal import Terminal
    from keras_compat.experiments.settings import TrainingSettings
    from keras_compat.training import Task

PLAIN = "independent"
METHODS = (PLAIN, "rp", "dcc", "rp+dcc", "fm")
COUNTS = (2, 4, 8)
# Forward, and the gradients by inputs and by weights.
PASSES = 3
# Enough to see how many images an auxiliary task makes of one.
EXAMPLES = 2
# In which `fit` starts, and the pipeline of examples fills.
_FIRST_ROUNDS = 5


Seconds = dict[str, list[float]]
"""By method, a round's seconds in each turn."""


def measure_costs(
    config: Settings, terminal: Terminal, rounds: int = 20, turns: int = 7
) -> list[Record]:
    """Measures a round of each method for 2, 4 and 8 networks; every network takes one step in it.

    For time all methods are in one process and take turns of some rounds. The fastest turn counts:
    whatever else a machine does makes rounds slower and never faster. For memory each has a process
    of its own: with the libraries and one copy of each data set; on a GPU what the host held.

    Args:
        config: Settings of the run. Its data sets serve in turn for more networks than there are
            sets.
        terminal: Place where progress is shown.
        rounds: Number of rounds that are timed in one turn; a few more go before.
        turns: Number of turns of each method.

    Returns:
        Records of the study `cost`.
    """
    records = []
    # IIW changes the first weights only: its steps are those of the method without it.
    asked = ("+".join(t for t in m.split("+") if t != IIW) for m in config.methods)
    methods = list(dict.fromkeys([*METHODS, *filter(None, asked)]))
    for count in COUNTS:
        terminal.line(f"time of {len(methods)} methods for {count} networks")
        seconds = _in_process(_time, config, methods, count, rounds, turns)
        plain_flops = None
        for method in methods:
            terminal.line(f"memory of {method} for {count} networks")
            flops, memory = _in_process(_weigh, config, method, count)
            plain_flops = plain_flops or flops
            figures = {
                "step_time_s": min(seconds[method]),
                "step_time_ratio": min(seconds[method]) / min(seconds[PLAIN]),
                "flops_per_step": flops,
                "flops_ratio": flops / plain_flops,
                "peak_memory_gib": memory,
            }
            records += [
                make_record(metric, value, method=method, networks=count)
                for metric, value in figures.items()
                if value is not None
            ]
    return records


def _in_process(measure: Callable[..., Any], *arguments: Any) -> Any:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(measure, *arguments).result()


def _time(config: Settings, methods: list[str], count: int, rounds: int, turns: int) -> Seconds:
    setups = {method: (config.training, _setup(config, method, count)) for method in methods}
    return timed_rounds(setups, rounds, turns)


def timed_rounds(
    setups: Mapping[str, tuple[TrainingSettings, Setup]], rounds: int, turns: int
) -> Seconds:
    """Returns the mean seconds of a round in each turn, for set-ups that take turns here."""
    runs = {name: _rounds(how, setup) for name, (how, setup) in setups.items()}
    for run in runs.values():
        run(1)  # traces and compiles the step
    seconds: Seconds = {name: [] for name in setups}
    for _ in range(turns):
        for name, run in runs.items():
            seconds[name].append(run(rounds))
    return seconds


def _weigh(config: Settings, method: str, count: int) -> tuple[int, float | None]:
    """Returns the operations of a round, and the peak memory of a process that does some."""
    with quiet_start():
        from keras_compat.machine import peak_memory_gib

    setup = _setup(config, method, count)
    _rounds(config.training, setup)(1)
    flops = sum(map(count_task_flops, setup.tasks.values())) * config.training.batch_size
    return flops, peak_memory_gib()


def _setup(config: Settings, method: str, count: int) -> Setup:
    # Imported late: these start a backend, in the process that is measured.
    with quiet_start():
        from keras_compat.experiments.compatibility_analysis.groups import load_group
        from keras_compat.experiments.compatibility_analysis.training import make_setup
        from keras_compat.studies.cells import Cell

    config = replace(
        config,
        datasets=tuple(islice(cycle(config.datasets), count)),
        architectures=tuple(islice(cycle(config.architectures), count)),
    )
    return make_setup(config, Cell(method, config.seed), load_group(config))


def _rounds(how: TrainingSettings, setup: Setup) -> Callable[[int], float]:
    """Returns a function that trains for so many rounds, and returns the mean seconds of one."""
    import keras

    from keras_compat.experiments.training import make_optimizer
    from keras_compat.training import Trainer

    trainer = Trainer(list(setup.tasks.values()))
    trainer.compile(make_optimizer(how), precision=how.precision)
    ends: list[float] = []
    clock = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: ends.append(time.perf_counter())
    )

    def run(rounds: int) -> float:
        ends.clear()
        size = how.batch_size
        steps = _FIRST_ROUNDS + rounds
        trainer.fit(
            setup.data, batch_size=size, steps_per_epoch=steps, verbose=0, callbacks=[clock]
        )
        return (ends[-1] - ends[_FIRST_ROUNDS - 1]) / rounds

    return run


def count_task_flops(task: Task) -> int:
    """Counts the operations that one example costs a task in a step.

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
        shown = held.auxiliary.transform(images, labels, training=False)[0].shape[0] / EXAMPLES
        shown *= held.fraction / held.every
        if held.auxiliary.transforms_images:
            total += shown * extractor
        if held.head is not None:
            total += shown * networks.count_flops(held.head, features)
    return round(PASSES * total)
