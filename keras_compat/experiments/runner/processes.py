"""Work on several items of a run at a time, each in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from importlib import import_module
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_compat.errors import InputError
from keras_compat.experiments.runner.signals import end_quietly_on_signals, ending_quietly
from keras_compat.experiments.start_up import one_line_warnings, quiet_start
from keras_compat.file_errors import file_errors_in_one_line
from keras_compat.machine import cores
from keras_compat.plugins import load_plugins

if TYPE_CHECKING:
    from keras_compat.experiments.runner.terminal import Terminal
    from keras_compat.experiments.runner.work_item import WorkItem


def work_in_processes(
    work: Callable[[Any], None], items: Sequence[WorkItem], jobs: int, terminal: Terminal
) -> None:
    """Works on items in parallel; an item waits for those that it starts from.

    The function is one of a module, or a `partial` of one: the module is loaded in each process
    once the process knows its share of the processor cores and GPUs. Items begin in their order.

    Raises:
        InputError: if an item cannot be worked on, or a process was killed; finished items are
            kept.
    """
    begin = time.monotonic()
    others = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")
    numbers = context.Queue()
    for number in range(jobs):
        numbers.put(number)
    module = getattr(work, "func", work).__module__
    left = {item.name: item for item in items}
    running: dict[Future[None], str] = {}
    with ProcessPoolExecutor(
        jobs, mp_context=context, initializer=_begin, initargs=(numbers, jobs, module)
    ) as pool:
        try:
            while left or running:
                awaited = {*left, *running.values()}
                ready = [n for n, item in left.items() if not awaited & set(item.starts_from)]
                for name in ready[: jobs - len(running)]:
                    running[pool.submit(_work, work, left.pop(name))] = name
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    future.result()
                    name = running.pop(future)
                    to_do = len(left) + len(running)
                    finished = len(items) - to_do
                    minutes = round((time.monotonic() - begin) / finished * to_do / 60)
                    terminal.line(f"({finished}/{len(items)}) {name}, about {minutes} min left")
        except BaseException as error:
            # Not to the end of what they are at, which may take hours, but to that of a round.
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
            if isinstance(error, BrokenProcessPool):
                raise InputError(
                    "a process was killed, perhaps for lack of memory; what is finished is kept: "
                    "run again with a lower --jobs"
                ) from None
            raise


def _work(work: Callable[[Any], None], item: WorkItem) -> None:
    # Here, since not every error of TensorFlow can be sent to another process.
    with file_errors_in_one_line():
        ending_quietly(work, item)


def _begin(numbers: Any, jobs: int, module: str) -> None:
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
    end_quietly_on_signals()
    one_line_warnings()
    # Not before: the backend must start after the process knows its share.
    with quiet_start():
        load_plugins()
        import_module(module)


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
