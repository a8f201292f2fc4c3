"""How a job of steps runs, from reading data to the folder of a finished run."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from keras_compat.errors import InputError
from keras_compat.experiments.runner.item_folder import NETWORKS, StepFolder
from keras_compat.experiments.runner.output_folder import FINISHED
from keras_compat.experiments.runner.resume_options import RESUMING, Resuming
from keras_compat.experiments.runner.run_folder import reporting, resumable_folder
from keras_compat.experiments.runner.terminal import Terminal
from keras_compat.experiments.runner.work_item import (
    Step,
    do_all,
    failures,
    gather,
    keep_valid,
    without_result,
)
from keras_compat.experiments.settings import check_at_least
from keras_compat.files import copy_plain, written_atomically
from keras_compat.printing import tell
from keras_compat.reporting import Run
from keras_compat.reporting.records import Record
from keras_compat.training import NonFiniteLoss

STEPS = "steps"


class Config(Protocol):
    """What the settings of a job of steps can say."""

    def lasting(self) -> dict[str, Any]:
        """Returns the settings by which a folder is known: what its steps are about."""
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
        settings: that a step depends on: takes all settings and the step.
        fingerprints: of the images that a step depends on, by name: takes the settings and the
            step.
        measures: whether a step is one that the run is for; all the others only lead to them.
        write_report: writes it from the metrics to a folder.
        terminal_text: what is printed last, of the records.
        stages: parts of the steps that are done one after the other.
        after_stage: what is printed after a stage that others follow, of its records.
        finish: adds files to the run's folder: takes the settings, the steps, the folder of all
            steps and that of the run.
    """

    experiment: str
    doing: str
    prepare: Callable[[Any, Terminal], Prepared]
    work: Callable[..., None]
    settings: Callable[[Any, Any], Mapping[str, Any]]
    fingerprints: Callable[[Any, Any], Mapping[str, Any]]
    measures: Callable[[Any], bool]
    write_report: Callable[[Mapping[str, Any], Path], Any]
    terminal_text: Callable[[Sequence[Record]], str]
    finish: Callable[[Any, Sequence[Step], Path, Path], None] = lambda *_: None
    stages: Callable[[Sequence[Any]], Sequence[Sequence[Any]]] = lambda steps: [steps]
    after_stage: Callable[[Sequence[Record]], str] = lambda records: ""


def run_stepwise(
    job: Job,
    config: Any,
    reading: str,
    output_dir: str | os.PathLike[str],
    overwrite: bool = False,
    jobs: int = 1,
    resuming: Resuming = RESUMING,
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
        resuming: whether and how an interrupted run goes on.

    Returns:
        What `metrics.json` holds.

    Raises:
        InputError: on bad input, before any training.
        NonFiniteLoss: at the end, if a loss became NaN; the report has all other results. The
            same command tries again.
    """
    check_at_least(1, {"jobs": jobs})
    terminal = Terminal(phases=3)
    lasting, resume = config.lasting(), resuming.resume
    with resumable_folder(output_dir, lasting, overwrite, STEPS, resume=resume) as folder:
        place = folder.partial / STEPS
        terminal.phase(f"Reading {reading}")
        prepared = job.prepare(config, terminal)
        steps = prepared.steps
        _check_names(steps)
        if overwrite and not place.exists() and (Path(output_dir) / STEPS).is_dir():
            with written_atomically(place) as copy:
                copy_plain(Path(output_dir) / STEPS, copy)
        settings, data = (partial(f, config) for f in (job.settings, job.fingerprints))
        keep_valid(steps, place, settings, data, drop=overwrite)
        terminal.phase(job.doing)
        seconds = resuming.checkpoint_seconds
        work = partial(job.work, config, place, checkpoint_seconds=seconds)
        for stage in job.stages(steps):
            do_all(stage, place, jobs, terminal, work)
            said = job.after_stage(_gathered(job, config, stage, place).results)
            if said and stage[-1] is not steps[-1]:
                tell("", *said.split("\n"), "")
        failed = failures(steps, place)
        if all(step.name in failed for step in steps if job.measures(step)):
            raise NonFiniteLoss(f"{without_result(failed)}; see {folder.partial}")
        terminal.phase("Writing the report")
        record = _gathered(job, config, steps, place)
        record.data |= prepared.data
        metrics = record.write(folder.partial / FINISHED)
        with reporting(folder):
            job.write_report(metrics, folder.partial)
        job.finish(config, steps, place, folder.partial)
        for step in steps:
            # Checkpoints of a step that failed are of no more use.
            StepFolder(place / step.name).clear()
        finished = folder.finish()
    text = job.terminal_text(metrics["results"])
    tell("", *text.split("\n"), "", f"Everything is in {finished}/")
    if failed:
        raise NonFiniteLoss(f"{without_result(failed)}; paths are those in {finished}")
    return metrics


def copy_networks(
    kinds: Collection[str], config: Any, steps: Sequence[Step], place: Path, run: Path
) -> None:
    """Puts the networks of the first seed where a user looks for them, in `networks/`.

    Args:
        kinds: of the steps whose networks are wanted.
        config: of the run.
        steps: all of them.
        place: the folder of all steps.
        run: the folder of the run.
    """
    for step in steps:
        trained = place / step.name / NETWORKS
        if step.seed == config.seed and step.kind in kinds and trained.is_dir():
            copy_plain(trained, run / NETWORKS / step.name.removesuffix(f"_seed{step.seed}"))


def _gathered(job: Job, config: Any, steps: Sequence[Step], place: Path) -> Run:
    record = Run(job.experiment, asdict(config))
    gather(record, steps, place)
    return record


def _check_names(steps: Sequence[Step]) -> None:
    """Raises an `InputError` if two steps would share a folder."""
    names = [step.name for step in steps]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise InputError(
            f"two steps would be named {twice[0]!r}, after their data; rename a data file or folder"
        )
