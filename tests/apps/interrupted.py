"""Runs an app once undisturbed, and once killed at random moments and started again each time.

`python -m tests.apps.interrupted FOLDER KILLS APP FLAGS...` leaves both runs in FOLDER, and prints
how many of the kills hit a run that was still going on, and how many trainings went on from a
checkpoint within them. Each run is a process of its own, forked
from one that has loaded all code and done nothing with it, and is killed by SIGKILL.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from importlib import import_module
from pathlib import Path
from zipfile import ZipFile

import h5py
import numpy as np

from keras_compat.experiments.runner.checkpointing import Stage

TICKS = os.sysconf("SC_CLK_TCK")


def weights(run: Path) -> dict[str, np.ndarray]:
    """Returns every array of every model of a run."""
    found = {}

    def take(name, item):
        if isinstance(item, h5py.Dataset):
            found[f"{place}/{name}"] = np.array(item)

    for file in sorted(run.rglob("*.keras")):
        place = file.relative_to(run)
        with ZipFile(file) as archive, archive.open("model.weights.h5") as content:
            h5py.File(content).visititems(take)
    return found


def differing(one: Path, other: Path) -> list[str]:
    """Returns the names of the arrays that are not the same to the bit in two runs."""
    ours, theirs = weights(one), weights(other)
    assert ours
    return [n for n in ours | theirs if not np.array_equal(ours.get(n), theirs.get(n))]


def _start(run, flags, log):
    child = os.fork()
    if child:
        return child
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 1)
    os.dup2(1, 2)
    try:
        run(flags)
        os._exit(0)
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(1)


def _computed_s(process):
    """Returns the processor time that a process has had: moments do not depend on other load."""
    text = Path(f"/proc/{process}/stat").read_text()
    user, system = text.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / TICKS


def tell_of_checkpoints(log):
    """Lets every training that begins within its rounds leave a line, with the round."""
    begin = Stage.__init__

    def told(self, trainer, *arguments, **keys):
        begin(self, trainer, *arguments, **keys)
        if trainer.rounds and not self.is_finished:
            with log.open("a") as file:
                file.write(f"{trainer.rounds}\n")

    Stage.__init__ = told


def _to_the_end(process):
    _, status, usage = os.wait4(process, 0)
    assert status == 0, status
    return usage.ru_utime + usage.ru_stime


def main(folder, kills, name, *flags):
    folder, log = Path(folder), Path(folder) / "log"
    app = import_module(f"apps.{name}")
    # What the app itself loads only once it has read its flags.
    import_module(f"keras_compat.experiments.{name}.experiment")
    whole = _to_the_end(_start(app.run, [*flags, f"--output_dir={folder / 'whole'}"], log))
    moments = random.Random(0)
    hit, went_on = 0, folder / "went_on"
    tell_of_checkpoints(went_on)
    flags = [*flags, f"--output_dir={folder / 'killed'}"]
    for _ in range(int(kills)):
        process, end = _start(app.run, flags, log), moments.uniform(0, whole / 10)
        while not os.waitpid(process, os.WNOHANG)[0]:
            if _computed_s(process) > end:
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)
                hit += 1
                break
            time.sleep(0.005)
        else:
            break
    if not (folder / "killed" / "metrics.json").exists():
        _to_the_end(_start(app.run, flags, log))
    print(hit, len(went_on.read_text().splitlines()) if went_on.exists() else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
