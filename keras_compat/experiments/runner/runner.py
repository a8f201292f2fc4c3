"""The one engine: runs an experiment's work items, from reading data to the finished folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from keras_compat.errors import InputError
from keras_compat.experiments.runner.item_folder import FAILURE, NETWORKS, ItemFolder
from keras_compat.experiments.runner.processes import work_in_processes
from keras_compat.experiments.runner.run_folder import reporting, resumable_folder
from keras_compat.experiments.runner.signals import told_of
from keras_compat.experiments.runner.terminal import RoundsBar, Terminal
from keras_compat.experiments.runner.work_item import RECORDS, Execution, WorkItem
from keras_compat.experiments.settings import RESUMING, Resuming
from keras_compat.files import copy_plain, read_json, remove, written_atomically
from keras_compat.printing import tell
from keras_compat.reporting import Run
from keras_compat.reporting.finished import CONFIG
from keras_compat.reporting.merging import add_maker
from keras_compat.reporting.records import Record, make_record
from keras_compat.reporting.stored_settings import as_of_today
from keras_compat.training import NonFiniteLoss

STEPS = "steps"
"""Folder of the items of most experiments."""


@dataclass(frozen=True)
class Prepared:
    """An experiment's work, known before anything is trained.

    Attributes:
        items: Work items; each comes after those that it starts from.
        data: Fingerprints of all images, by name.
    """

    items: Sequence[Any]
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Work:
    """Items of a run and their place.

    Attributes:
        config: Settings of the run.
        items: Work items.
        place: Folder of all items.
        terminal: Terminal for progress.
    """

    config: Any
    items: Sequence[Any]
    place: Path
    terminal: Terminal

    @property
    def folder(self) -> Path:
        """Folder of the run, which becomes the finished one."""
        return self.place.parent


def records_of_items(work: Work) -> list[Record]:
    """Returns the records that each item left, or one that says why it failed."""
    found: list[Record] = []
    for item in work.items:
        folder = ItemFolder(work.place / item.name)
        if folder.has(RECORDS):
            found += folder.load_records(RECORDS)
        failure = folder.failure()
        if failure is not None:
            keys = {"step": item.name, "seed": item.seed, "message": failure}
            found.append(make_record("failure", 1, **keys))
    return found


@dataclass(frozen=True)
class Experiment:
    """Description of one experiment for `run`.

    Args:
        name: Name of the experiment, such as `"transfer_learning"`.
        doing: Heading of the work on the terminal.
        reading: Function that names the data to read, from the settings.
        prepare: Function that reads the data, checks everything that can be checked before
            training, and returns the work. It takes the settings and the terminal.
        execution: Functions that do an item.
        is_wanted: Function that tells an item that the run is for from one that only leads to it.
            It takes the settings and the item. A run whose wanted items all fail has no report.
        write_report: Function that writes the report from the metrics to a folder.
        terminal_text: Function that returns the last words on the terminal, from the metrics.
        folder: Name of the folder of all items.
        keeps: Names of further folders that an interrupted run leaves to the next one.
        measuring: Names of the settings that change measures but no training.
        complete: Function that returns the settings with what depends on the machine.
        adopt: Function that takes over what an interrupted run of an earlier release left.
        last_kind: Kind of the items that are done in a stage of their own, after all others.
        after_stage: Function that returns the text printed between two stages, from records.
        records: Function that returns the run's records.
        finish: Function that adds files to the run's folder, and records to the run.
    """

    name: str
    doing: str
    reading: Callable[[Any], str]
    prepare: Callable[[Any, Terminal], Prepared]
    execution: Execution
    is_wanted: Callable[[Any, Any], bool]
    write_report: Callable[[Mapping[str, Any], Path], Any]
    terminal_text: Callable[[Mapping[str, Any]], str]
    folder: str = STEPS
    keeps: Collection[str] = ()
    measuring: Collection[str] = ()
    complete: Callable[[Any], Any] = lambda config: config
    adopt: Callable[[Work], None] = lambda work: None
    last_kind: str = ""
    after_stage: Callable[[Sequence[Record]], str] = lambda records: ""
    records: Callable[[Work], list[Record]] = records_of_items
    finish: Callable[[Work, Run], None] = lambda work, record: None


def run(
    experiment: Experiment,
    config: Any,
    output_dir: str | os.PathLike[str],
    overwrite: bool = False,
    jobs: int = 1,
    resuming: Resuming = RESUMING,
) -> dict[str, Any]:
    """Runs an experiment and writes its folder; a killed run goes on where it was.

    Args:
        experiment: Experiment to run.
        config: Settings of the run, a dataclass.
        output_dir: Folder of the finished run, with `metrics.json`, `report.md`, `figures/` and
            the folder of all items.
        overwrite: Whether a finished run, or an unfinished one of other settings, may be replaced.
            Its items that this run would do alike are kept.
        jobs: Number of items that are worked on at a time, each in a process of its own.
        resuming: Options of going on after an interruption.

    Returns:
        The content of `metrics.json`.

    Raises:
        InputError: if the input is bad, before any training.
        NonFiniteLoss: if a loss became NaN, raised at the end. The report has all other results,
            and the same command tries again.
    """
    if jobs < 1:
        raise InputError(f"jobs is {jobs}; expected at least 1")
    terminal = Terminal(phases=3)
    config = experiment.complete(config)
    kept = (experiment.folder, *experiment.keeps)
    lasting, resume = config.lasting(), resuming.resume
    with resumable_folder(output_dir, lasting, overwrite, *kept, resume=resume) as folder:
        terminal.phase(f"Reading {experiment.reading(config)}")
        prepared = experiment.prepare(config, terminal)
        place = folder.partial / experiment.folder
        work = Work(config, prepared.items, place, terminal)
        _check_names(work.items)
        if overwrite and not place.exists():
            _take_over(experiment, lasting, Path(output_dir), folder.partial)
        experiment.adopt(work)
        _keep_valid(experiment, work, drop=overwrite)
        terminal.phase(experiment.doing)
        for _, group in groupby(work.items, lambda item: item.kind == experiment.last_kind):
            stage = list(group)
            part = Work(config, stage, place, terminal)
            _do_all(experiment.execution, part, jobs, resuming.checkpoint_seconds)
            said = experiment.after_stage(experiment.records(part))
            if said and stage[-1] is not work.items[-1]:
                tell("", *said.split("\n"), "")
        failed = _failures(work)
        wanted = [item for item in work.items if experiment.is_wanted(config, item)]
        if wanted and all(item.name in failed for item in wanted):
            raise NonFiniteLoss(f"{_without_result(failed)}; see {folder.partial}")
        record = _gathered(experiment, work)
        record.data |= prepared.data
        experiment.finish(work, record)
        terminal.phase("Writing the report")
        metrics = record.write(folder.metrics)
        with reporting(folder):
            experiment.write_report(metrics, folder.partial)
        for item in work.items:
            # Checkpoints of an item that failed are of no more use.
            ItemFolder(place / item.name).clear()
        finished = folder.finish()
    tell("", *experiment.terminal_text(metrics).split("\n"), "", f"Everything is in {finished}/")
    if failed:
        raise NonFiniteLoss(f"{_without_result(failed)}; paths are those in {finished}")
    return metrics


def copy_networks(kinds: Collection[str], work: Work, record: Run) -> None:
    """Copies the networks of the first seed, of items of some kinds, to `networks/` of the run."""
    for item in work.items:
        trained = work.place / item.name / NETWORKS
        if item.seed == work.config.seed and item.kind in kinds and trained.is_dir():
            name = item.name.removesuffix(f"_seed{item.seed}")
            copy_plain(trained, work.folder / NETWORKS / name)


def _check_names(items: Sequence[WorkItem]) -> None:
    """Raises an `InputError` if two items would share a folder."""
    names = [item.name for item in items]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise InputError(
            f"two work items would be named {twice[0]!r}, after their data; rename a data file or "
            "folder"
        )


def _take_over(
    experiment: Experiment, settings: Mapping[str, Any], finished: Path, partial: Path
) -> None:
    """Copies the items of a finished run that is to be replaced.

    Failures are tried again. If a setting of `Experiment.measuring` differs, measures that are
    taken on trained networks are taken again.
    """
    items = finished / experiment.folder
    if not items.is_dir():
        return
    before = as_of_today(read_json(finished / CONFIG, "the settings of a run"))
    here = as_of_today(settings)
    remeasured = any(before.get(name) != here[name] for name in experiment.measuring)

    def left_out(folder: str, names: list[str]) -> set[str]:
        if remeasured and Path(folder).parent == items:
            return set(names) - {NETWORKS, f"{RECORDS}.json"}
        return set(names) & set(FAILURE)

    for name in (*experiment.keeps, experiment.folder):
        if (finished / name).is_dir():
            with written_atomically(partial / name) as copy:
                copy_plain(finished / name, copy, left_out)


def _keep_valid(experiment: Experiment, work: Work, drop: bool) -> None:
    """Makes sure that the items which are done already are those that the run would do.

    What is damaged is set aside, and done again. With `drop`, so is what was done otherwise.

    Raises:
        InputError: if an item was done with other settings or images, unless it is dropped.
    """
    execution, dropped = experiment.execution, []
    for item in work.items:
        folder = execution.folder(work.place / item.name)
        folder.set_aside_damaged(item.measures)
        if folder.made_by() is None:
            continue
        try:
            of_item = (f(work.config, item) for f in (execution.settings, execution.fingerprints))
            folder.check(*of_item)
        except InputError as error:
            if not drop:
                raise
            dropped.append(str(error))
            remove(folder.path)
    if dropped:
        work.terminal.line(f"{len(dropped)} finished items are done again: {dropped[0]}")


def _do_all(execution: Execution, work: Work, jobs: int, checkpoint_seconds: float) -> None:
    """Does all items that are not done yet.

    Raises:
        KeyboardInterrupt: if the user interrupted the work; it has a message.
    """
    items, place, terminal = work.items, work.place, work.terminal
    place.mkdir(exist_ok=True)
    for unfinished in place.glob("*/.*.partial"):
        remove(unfinished)
    for item in items:
        folder = ItemFolder(place / item.name)
        folder.forget_failure()
        if execution.is_done(item, place):
            # Of a process that was killed just before it did so.
            remove(folder.checkpoints)
    left = [item for item in items if not execution.is_done(item, place)]
    if len(left) < len(items):
        terminal.line(f"{len(items) - len(left)} of {len(items)} work items are finished already")
    do = partial(execution.do, work.config, place, checkpoint_seconds=checkpoint_seconds)
    try:
        if jobs > 1:
            work_in_processes(do, left, jobs, terminal)
            return
        for number, item in enumerate(left, start=1):
            terminal.line(f"({number}/{len(left)}) {item.name}")
            do(item, callbacks=lambda rounds: [RoundsBar(rounds)])
    except KeyboardInterrupt as error:
        done = sum(execution.is_done(item, place) for item in items)
        raise told_of(error, f"{done} of {len(items)} work items") from None


def _gathered(experiment: Experiment, work: Work) -> Run:
    """Returns the record of a run: figures, durations, and what made them."""
    record = Run(experiment.name, asdict(work.config))
    for item in work.items:
        made_by = experiment.execution.folder(work.place / item.name).made_by()
        if made_by is not None:
            record.durations_s[item.name] = made_by["duration_s"]
            # An item may be from an earlier run, of other versions and on another machine.
            add_maker(record.made_by, made_by["versions"], made_by["hardware"], [item.name])
    record.results += experiment.records(work)
    return record


def _failures(work: Work) -> dict[str, str]:
    """Returns the messages of the items that failed, by name."""
    found = {item.name: ItemFolder(work.place / item.name).failure() for item in work.items}
    return {name: message for name, message in found.items() if message is not None}


def _without_result(failed: Mapping[str, str]) -> str:
    told = "; ".join(f"{name} ({message})" for name, message in failed.items())
    return f"without a result: {told}"
