"""The compatibility analysis from data to report: cells, measures, records (Sec. 4, App. A, B)."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from keras_compat.errors import InputError
from keras_compat.experiments.compatibility_analysis.cell_folder import CellFolder
from keras_compat.experiments.compatibility_analysis.cost import measure_costs
from keras_compat.experiments.compatibility_analysis.execute import check_trained, is_done, work_on
from keras_compat.experiments.compatibility_analysis.groups import (
    Group,
    load_group,
    load_pretraining_data,
)
from keras_compat.experiments.compatibility_analysis.items import Plan, merge, pretraining_cell
from keras_compat.experiments.compatibility_analysis.methods import (
    INDEPENDENT,
    UPPER_BOUND_WITHOUT_ROTATION,
)
from keras_compat.experiments.compatibility_analysis.settings import EVALUATION, Config
from keras_compat.experiments.compatibility_analysis.studies import Known, Wanted, cells_of
from keras_compat.experiments.compatibility_analysis.training import check_cells
from keras_compat.experiments.runner.item_folder import check_records
from keras_compat.experiments.runner.output_folder import FINISHED
from keras_compat.experiments.runner.processes import work_in_processes
from keras_compat.experiments.runner.resume_options import RESUMING, Resuming
from keras_compat.experiments.runner.run_folder import reporting, resumable_folder, take_over
from keras_compat.experiments.runner.signals import told_of
from keras_compat.experiments.runner.terminal import RoundsBar, Terminal
from keras_compat.experiments.settings import check_at_least
from keras_compat.files import read_json, remove, write_text
from keras_compat.networks.architectures import find_architecture
from keras_compat.printing import tell
from keras_compat.reporting import Run
from keras_compat.reporting.compatibility_analysis import terminal_text, write_report
from keras_compat.reporting.hardware import collect_hardware
from keras_compat.reporting.merging import add_maker
from keras_compat.reporting.records import Record, make_record, select
from keras_compat.studies.cells import Asked, Cell
from keras_compat.training import NonFiniteLoss
from keras_compat.versions import collect_versions

CELLS = "cells"


def run(
    config: Config,
    output_dir: str | os.PathLike[str],
    overwrite: bool = False,
    jobs: int = 1,
    resuming: Resuming = RESUMING,
) -> dict[str, Any]:
    """Runs the analysis and writes its folder; a run that was killed goes on where it was.

    Args:
        config: every setting.
        output_dir: where `metrics.json`, `report.md`, `figures/` and `cells/` go once all is
            done.
        overwrite: whether a finished run, or an unfinished one of other settings, may be
            replaced.
        jobs: how many cells are worked on at a time, each in a process of its own.
        resuming: whether and how an interrupted run goes on.

    Returns:
        What `metrics.json` holds.

    Raises:
        InputError: on bad input, before any training.
        NonFiniteLoss: at the end, if there were cells whose loss became NaN; the report names
            them, and has all others. The same command tries them again.
    """
    check_at_least(1, {"jobs": jobs})
    terminal = Terminal(phases=3)
    lasting, resume = config.lasting(), resuming.resume
    with resumable_folder(output_dir, lasting, overwrite, CELLS, resume=resume) as folder:
        cells = folder.partial / CELLS
        terminal.phase(f"Reading {', '.join(dict.fromkeys(config.datasets))}")
        group, by_study = _prepare(config, terminal)
        plans = merge(by_study)
        if overwrite and not cells.exists():
            take_over(
                Path(output_dir),
                cells,
                config.lasting(),
                EVALUATION,
                partial(check_trained, config, plans),
                terminal,
            )
        terminal.phase(f"Training and measuring {len(plans)} groups of networks")
        _work(config, plans, cells, jobs, terminal, resuming)
        costs = _costs(config, cells, terminal)
        failures = _failures(plans, cells)
        if costs is None and all(plan.cell in failures for plan in plans if plan.measures):
            raise NonFiniteLoss(f"{_without_result(failures)}; see {folder.partial}")
        terminal.phase("Writing the report")
        record = _collect(config, group, by_study, cells)
        if costs is not None:
            record.results += [{"study": "cost", **found} for found in costs["records"]]
            add_maker(record.made_by, costs["versions"], costs["hardware"], ["cost"])
        metrics = record.write(folder.partial / FINISHED)
        with reporting(folder):
            write_report(metrics, folder.partial)
        for plan in plans:
            # Checkpoints of a cell that failed are of no more use.
            CellFolder(cells, plan.cell).clear()
        place = folder.finish()
    text = terminal_text(metrics["results"], metrics["config"])
    tell("", *text.split("\n"), "", f"Everything is in {place}/")
    if failures:
        raise NonFiniteLoss(f"{_without_result(failures)}; paths are those in {place}")
    return metrics


def _prepare(config: Config, terminal: Terminal) -> tuple[Group, dict[str, Wanted]]:
    """Loads the data and finds out what there is to do, and whether it can be done."""
    group = load_group(config)
    by_study = cells_of(config, _known(config, group))
    plans = merge(by_study)
    groups = {False: group}
    if any(plan.cell.same_data for plan in plans):
        groups[True] = load_group(config, same_data=True)
    if "pretrained" in config.studies:
        load_pretraining_data(config)
    check_cells(config, [plan.cell for plan in plans if plan.measures], groups)
    for name, dataset in group.datasets.items():
        terminal.line(
            f"{name}: {len(dataset.train):,} training images, {len(dataset.test):,} test images, "
            f"{len(dataset.class_names)} classes"
        )
    names = next(iter(group.datasets.values())).class_names[: group.common]
    terminal.line(f"common classes: {', '.join(names)}")
    return group, by_study


def _known(config: Config, group: Group) -> Known:
    every = [find_architecture(text) for text in config.architectures]
    names = [[block.name for block in architecture.blocks] for architecture, _ in every]
    blocks = [name for name in names[0] if all(name in others for others in names)]
    own = {architecture.split_block(split) for architecture, split in every}
    channels = next(iter(group.datasets.values())).image_shape[-1]
    return Known(
        list(group.datasets),
        group.common,
        blocks,
        own_split=own.pop() if len(own) == 1 else None,
        colour=channels == 3,
    )


def _work(
    config: Config,
    plans: list[Plan],
    cells: Path,
    jobs: int,
    terminal: Terminal,
    resuming: Resuming,
) -> None:
    cells.mkdir(exist_ok=True)
    for unfinished in cells.glob("*/.*.partial"):
        remove(unfinished)
    for plan in plans:
        CellFolder(cells, plan.cell).set_aside_damaged(plan.measures)
    check_trained(config, plans, cells)
    for plan in plans:
        folder = CellFolder(cells, plan.cell)
        folder.forget_failure()
        if folder.made_by() is not None:
            # Of a process that was killed just before it did so.
            remove(folder.checkpoints)
    left = [plan for plan in plans if not is_done(plan, cells)]
    if len(left) < len(plans):
        terminal.line(f"{len(plans) - len(left)} are finished already")
    try:
        work = partial(work_on, config, cells=cells, checkpoint_seconds=resuming.checkpoint_seconds)
        _work_on_all(work, left, jobs, terminal)
    except KeyboardInterrupt as error:
        done = sum(is_done(plan, cells) for plan in plans)
        raise told_of(error, f"{done} of {len(plans)} groups of networks") from None


def _work_on_all(
    work: Callable[..., None], left: list[Plan], jobs: int, terminal: Terminal
) -> None:
    if jobs > 1:
        work_in_processes(
            work,
            {plan.cell.name: plan for plan in left},
            jobs,
            terminal,
            starts_from=lambda plan: (
                [pretraining_cell(plan.cell).name] if plan.cell.pretrained else []
            ),
        )
        return
    for number, plan in enumerate(left, start=1):
        terminal.line(f"({number}/{len(left)}) {plan.cell.name}")
        work(plan, callbacks=lambda rounds: [RoundsBar(rounds)])


def _costs(config: Config, cells: Path, terminal: Terminal) -> dict[str, Any] | None:
    """Returns the records of the study `cost` and what made them, or `None` if nobody asks.

    Other studies need a step done; this one is about the step. So what was measured with other
    versions or on another machine is measured again.
    """
    if "cost" not in config.studies:
        return None
    place = cells / "cost.json"
    made_with = {"versions": collect_versions(), "hardware": collect_hardware()}
    found = _read_costs(place)
    if {key: found.get(key) for key in made_with} != made_with:
        found = {**made_with, "records": measure_costs(config, terminal)}
        write_text(place, json.dumps(found, indent=2) + "\n")
    return found


def _read_costs(place: Path) -> dict[str, Any]:
    """Returns what an earlier run measured; nothing if there was none, or it is damaged."""
    if not os.path.lexists(place):
        return {}
    try:
        found = read_json(place, "what a run wrote there")
        if not isinstance(found, dict) or not found.get("records"):
            raise InputError(f"{place} holds no records")
        check_records(found["records"], str(place))
    except InputError as error:
        warnings.warn(f"{error}; costs are measured again", stacklevel=2)
        return {}
    return found


def _collect(config: Config, group: Group, by_study: dict[str, Wanted], cells: Path) -> Run:
    """Returns the records of all cells, each once for every study that it belongs to."""
    record = Run("compatibility_analysis", asdict(config))
    for name, dataset in group.datasets.items():
        record.data[name] = dataset.fingerprint()
    if "pretrained" in config.studies:
        record.data["pretraining"] = load_pretraining_data(config).fingerprint()
    for plan in merge(by_study):
        made_by = CellFolder(cells, plan.cell).made_by()
        if made_by is not None:
            record.durations_s[plan.cell.name] = made_by["duration_s"]
            # A cell may be from an earlier run, of other versions and on another machine.
            add_maker(record.made_by, made_by["versions"], made_by["hardware"], [plan.cell.name])
    for study, wanted in by_study.items():
        for asked in wanted:
            record.results += _records(study, asked, CellFolder(cells, asked.cell))
    return record


def _records(study: str, asked: Asked, folder: CellFolder) -> list[Record]:
    """Returns the records that a study asked a cell for, or one that says why there are none."""
    failure = folder.failure()
    if failure is not None:
        keys = {"study": study, **asked.cell.keys(), **asked.keys}
        return [make_record("failure", 1, **keys, message=failure)]
    found = [record for measure in asked.measures for record in folder.load_records(measure)]
    records = [{"study": study, **asked.keys, **record} for record in found]
    if asked.cell.method == INDEPENDENT:
        # Independent training is the bound without a rotation head.
        bound = {"method": UPPER_BOUND_WITHOUT_ROTATION}
        records += [{**record, **bound} for record in select(records, metric="own_accuracy")]
    return records


def _failures(plans: list[Plan], cells: Path) -> dict[Cell, str]:
    """Returns the cells whose loss was not finite, with what happened."""
    found = {plan.cell: CellFolder(cells, plan.cell).failure() for plan in plans}
    return {cell: message for cell, message in found.items() if message is not None}


def _without_result(failures: Mapping[Cell, str]) -> str:
    told = "; ".join(f"{cell.name} ({message})" for cell, message in failures.items())
    return f"without a result: {told}"
