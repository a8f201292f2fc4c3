"""How a job of steps runs, from reading data to the folder of a finished run."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from keras_compat.jobs.output_folder import FINISHED
from keras_compat.jobs.progress import Terminal
from keras_compat.jobs.resumable import resumable_folder, take_over
from keras_compat.jobs.settings import check_at_least
from keras_compat.jobs.steps import (
    Step,
    check_trained,
    do_all,
    failures,
    gather,
    without_result,
)
from keras_compat.reporting import Run
from keras_compat.reporting.records import Record
from keras_compat.training import NonFiniteLoss

STEPS = "steps"


class Config(Protocol):
    """What the settings of a job of steps can say."""

    def lasting(self) -> dict[str, Any]:
        """Returns the settings that all steps of a folder have in common."""
        ...


@dataclass(frozen=True)
class Prepared:
    """What there is to do, known before anything is trained.

    Attributes:
        steps: in an order in which each comes after those that it starts from.
        data: the fingerprints of all images, by name.
    """

    steps: Sequence[Any]
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Job:
    """What one job of steps does that others do otherwise.

    Args:
        experiment: its name.
        doing: what it says while it works on the steps.
        prepare: reads the data and checks what can be checked, and says what it found.
        work: does a step: takes the settings, the folder of all steps, the step.
        fingerprints: of the images that a step learns from: takes the settings and the step.
        measures: whether a step is one that the run is for; all the others only lead to them.
        write_report: writes it from the metrics to a folder.
        terminal_text: what is printed last, of the records.
        finish: adds files to the run's folder: takes the settings, the steps, the folder of all
            steps and that of the run.
    """

    experiment: str
    doing: str
    prepare: Callable[[Any, Terminal], Prepared]
    work: Callable[..., None]
    fingerprints: Callable[[Any, Any], Mapping[str, Any]]
    measures: Callable[[Any], bool]
    write_report: Callable[[Mapping[str, Any], Path], Any]
    terminal_text: Callable[[Sequence[Record]], str]
    finish: Callable[[Any, Sequence[Step], Path, Path], None] = lambda *_: None


def run_stepwise(
    job: Job,
    config: Any,
    reading: str,
    output_dir: str | os.PathLike[str],
    overwrite: bool = False,
    jobs: int = 1,
) -> dict[str, Any]:
    """Runs a job of steps and writes its folder; a run that was killed goes on where it was.

    Args:
        job: what it does.
        config: every setting, a dataclass that is a `Config`.
        reading: what is read first, in words.
        output_dir: where `metrics.json`, `report.md`, `figures/` and `steps/` go once all is done.
        overwrite: whether a finished run, or an unfinished one of other settings, may be
            replaced.
        jobs: how many steps are worked on at a time, each in a process of its own.

    Returns:
        What `metrics.json` holds.

    Raises:
        InputError: on bad input, before any training.
        NonFiniteLoss: at the end, if a loss became NaN; the report has all other results. The
            same command tries again.
    """
    check_at_least(1, {"jobs": jobs})
    terminal = Terminal(phases=3)
    with resumable_folder(output_dir, config.lasting(), overwrite, STEPS) as folder:
        place = folder.partial / STEPS
        terminal.phase(f"Reading {reading}")
        prepared = job.prepare(config, terminal)
        steps = prepared.steps
        check = partial(check_trained, steps, config.lasting(), partial(job.fingerprints, config))
        if overwrite and not place.exists():
            take_over(Path(output_dir), place, config.lasting(), (), check, terminal)
        terminal.phase(job.doing)
        check(place)
        do_all(steps, place, jobs, terminal, partial(job.work, config, place))
        failed = failures(steps, place)
        if all(step.name in failed for step in steps if job.measures(step)):
            raise NonFiniteLoss(f"{without_result(failed)}; see {folder.partial}")
        terminal.phase("Writing the report")
        record = Run(job.experiment, asdict(config))
        record.data |= prepared.data
        gather(record, steps, place)
        metrics = record.write(folder.partial / FINISHED)
        job.write_report(metrics, folder.partial)
        job.finish(config, steps, place, folder.partial)
        finished = folder.finish()
    print(f"\n{job.terminal_text(metrics['results'])}\n\nEverything is in {finished}/")
    if failed:
        raise NonFiniteLoss(f"{without_result(failed)}; paths are those in {finished}")
    return metrics
