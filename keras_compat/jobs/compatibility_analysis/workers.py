"""Works on several cells at a time, each in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_compat.errors import InputError
from keras_compat.jobs.compatibility_analysis.cells import Plan, pretraining_cell
from keras_compat.jobs.compatibility_analysis.config import Config
from keras_compat.jobs.start_up import quiet_start
from keras_compat.reporting.hardware import cores

if TYPE_CHECKING:
    from keras_compat.jobs.progress import Terminal


def work_in_processes(
    config: Config, plans: list[Plan], cells: Path, jobs: int, terminal: Terminal
) -> None:
    """Works on cells in parallel; a cell waits for the one that it starts from.

    Args:
        config: of the run.
        plans: the cells that are left to do.
        cells: the folder of all cells.
        jobs: the number of processes. Cores are shared out among them; where there are GPUs, each
            process sees one.
        terminal: where progress is shown.

    Raises:
        InputError: if a cell cannot be worked on, or a process was killed; cells that are finished
            are kept.
    """
    shown = _Shown(len(plans), terminal)
    others = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")
    numbers = context.Queue()
    for number in range(jobs):
        numbers.put(number)
    left = list(plans)
    running: dict[Future[None], Plan] = {}
    with ProcessPoolExecutor(
        jobs, mp_context=context, initializer=_begin, initargs=(numbers, jobs)
    ) as pool:
        try:
            while left or running:
                for plan in _ready(left, list(running.values()))[: jobs - len(running)]:
                    left.remove(plan)
                    running[pool.submit(_work, config, plan, cells)] = plan
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    future.result()
                    shown.finished(running.pop(future))
        except BaseException as error:
            # Not to the end of what they are at, which may take hours.
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
            if isinstance(error, BrokenProcessPool):
                raise InputError(
                    "a process was killed, perhaps for lack of memory; finished cells are kept: "
                    "run again with a lower --jobs"
                ) from None
            raise


def _ready(left: list[Plan], running: list[Plan]) -> list[Plan]:
    """Returns the cells whose start is not itself waiting or being trained."""
    awaited = {plan.cell for plan in [*left, *running]}
    return [p for p in left if not (p.cell.pretrained and pretraining_cell(p.cell) in awaited)]


class _Shown:
    """Tells of each finished cell, and how long the rest will take at this pace."""

    def __init__(self, total: int, terminal: Terminal):
        self._total = total
        self._terminal = terminal
        self._done = 0
        self._begin = time.monotonic()

    def finished(self, plan: Plan) -> None:
        self._done += 1
        pace = (time.monotonic() - self._begin) / self._done
        left = round(pace * (self._total - self._done) / 60)
        self._terminal.line(f"({self._done}/{self._total}) {plan.cell.name}, about {left} min left")


def _begin(numbers: Any, jobs: int) -> None:
    """Gives a process its share of the machine, before it starts a backend."""
    number = numbers.get()
    gpus = _visible_gpus()
    if gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus[number % len(gpus)]
    threads = max(1, cores() // jobs)
    # What TensorFlow and the libraries below NumPy read when they are loaded.
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, str(threads))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # Not before: the backend must start after the process knows its share.
    with quiet_start():
        from keras_compat.jobs.compatibility_analysis import work  # noqa: F401


def _end_with_parent() -> None:
    """Ends this process when its parent was killed: another run may go on in the folder."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)


def _visible_gpus() -> list[str]:
    """Returns the identifiers of the GPUs of NVIDIA that this process may use."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name for name in named.split(",") if name]
    folder = Path("/proc/driver/nvidia/gpus")
    return [str(number) for number in range(len(list(folder.iterdir())))] if folder.is_dir() else []


def _work(config: Config, plan: Plan, cells: Path) -> None:
    from keras_compat.jobs.compatibility_analysis.work import work_on

    work_on(config, plan, cells)
