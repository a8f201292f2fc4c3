"""Works on several cells at a time, each in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import time
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_compat.jobs.compatibility_analysis.cells import Plan
from keras_compat.jobs.compatibility_analysis.config import Config
from keras_compat.jobs.compatibility_analysis.methods import PRETRAINING
from keras_compat.jobs.start_up import quiet_start

if TYPE_CHECKING:
    from keras_compat.jobs.progress import Terminal


def work_in_processes(
    config: Config, plans: list[Plan], cells: Path, jobs: int, terminal: Terminal
) -> None:
    """Works on cells in parallel; those that others start from come first.

    Args:
        config: of the run.
        plans: the cells that are left to do.
        cells: the folder of all cells.
        jobs: the number of processes. Cores are shared out among them; where there are GPUs, each
            process sees one.
        terminal: where progress is shown.

    Raises:
        NonFiniteLoss: when a loss becomes NaN or infinite; cells that are finished are kept.
    """
    first = [plan for plan in plans if plan.cell.method == PRETRAINING]
    rest = [plan for plan in plans if plan.cell.method != PRETRAINING]
    shown = _Shown(len(plans), terminal)
    context = multiprocessing.get_context("spawn")
    numbers = context.Queue()
    for number in range(jobs):
        numbers.put(number)
    with ProcessPoolExecutor(
        jobs, mp_context=context, initializer=_begin, initargs=(numbers, jobs)
    ) as pool:
        for wave in (first, rest):
            waiting: dict[Future[None], Plan] = {
                pool.submit(_work, config, plan, cells): plan for plan in wave
            }
            try:
                while waiting:
                    done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                    for future in done:
                        future.result()
                        shown.finished(waiting.pop(future))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


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
    threads = max(1, (os.cpu_count() or 1) // jobs)
    # What TensorFlow and the libraries below NumPy read when they are loaded.
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, str(threads))
    # Not before: the backend must start after the process knows its share.
    with quiet_start():
        from keras_compat.jobs.compatibility_analysis import work  # noqa: F401


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
