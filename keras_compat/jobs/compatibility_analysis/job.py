"""The compatibility analysis from data to report: cells, measures, records (Sec. 4, App. A, B)."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from keras_compat.errors import InputError
from keras_compat.files import remove
from keras_compat.jobs.compatibility_analysis.cell_folder import (
    FAILURE,
    CellFolder,
    read_records,
    write_records,
)
from keras_compat.jobs.compatibility_analysis.cells import Asked, Plan, merge
from keras_compat.jobs.compatibility_analysis.config import Config
from keras_compat.jobs.compatibility_analysis.cost import measure_costs
from keras_compat.jobs.compatibility_analysis.groups import (
    Group,
    load_group,
    load_pretraining_data,
)
from keras_compat.jobs.compatibility_analysis.methods import (
    INDEPENDENT,
    UPPER_BOUND_WITHOUT_ROTATION,
)
from keras_compat.jobs.compatibility_analysis.studies import Known, Wanted, cells_of
from keras_compat.jobs.compatibility_analysis.training import check_cells
from keras_compat.jobs.compatibility_analysis.work import check_data, is_done, work_on
from keras_compat.jobs.compatibility_analysis.workers import work_in_processes
from keras_compat.jobs.output_folder import CONFIG, FINISHED, OutputFolder
from keras_compat.jobs.progress import RoundsBar, Terminal
from keras_compat.jobs.settings import check_at_least
from keras_compat.networks.architectures import find_architecture
from keras_compat.reporting import Run
from keras_compat.reporting.compatibility_analysis import terminal_text, write_report
from keras_compat.reporting.hardware import peak_memory_gib
from keras_compat.reporting.merging import add_maker
from keras_compat.reporting.records import Record, select
from keras_compat.training import NonFiniteLoss

CELLS = "cells"


def run(
    config: Config,
    output_dir: str | os.PathLike[str],
    overwrite: bool = False,
    jobs: int = 1,
) -> dict[str, Any]:
    """Runs the analysis and writes its folder; a run that was killed goes on where it was.

    Args:
        config: every setting.
        output_dir: where `metrics.json`, `report.md`, `figures/` and `cells/` go once all is
            done.
        overwrite: whether a finished run, or an unfinished one of other settings, may be
            replaced.
        jobs: how many cells are worked on at a time, each in a process of its own.

    Returns:
        What `metrics.json` holds.

    Raises:
        InputError: on bad input, before any training.
        NonFiniteLoss: at the end, if there were cells whose loss became NaN; all others are in
            the report.
    """
    begin = time.perf_counter()
    check_at_least(1, {"jobs": jobs})
    terminal = Terminal(phases=3)
    with _folder(config, output_dir, overwrite) as folder:
        cells = folder.partial / CELLS
        terminal.phase(f"Reading {', '.join(dict.fromkeys(config.datasets))}")
        group, by_study = _prepare(config, terminal)
        plans = merge(by_study)
        terminal.phase(f"Training and measuring {len(plans)} groups of networks")
        _work(config, plans, cells, jobs, terminal)
        costs = _costs(config, cells, terminal)
        terminal.phase("Writing the report")
        record = _collect(config, group, by_study, cells)
        record.results += [{"study": "cost", **found} for found in costs]
        record.durations_s["total"] = time.perf_counter() - begin
        metrics = record.write(folder.partial / FINISHED)
        write_report(metrics, folder.partial)
        failures = _failures(plans, cells)
        place = folder.finish()
    print(f"\n{terminal_text(metrics['results'], metrics['config'])}\n\nEverything is in {place}/")
    if failures:
        raise NonFiniteLoss(f"without a result: {'; '.join(failures)}")
    return metrics


@contextmanager
def _folder(config: Config, output_dir: Any, overwrite: bool) -> Iterator[OutputFolder]:
    finished = Path(output_dir) / CELLS
    folder = OutputFolder(output_dir, config.lasting(), overwrite, keep=[CELLS])
    cells = folder.partial / CELLS
    try:
        if overwrite and not cells.exists() and _has_settings(finished.parent, config):
            # More studies, methods or seeds join the cells of the run that is replaced; what failed
            # there is tried again.
            shutil.copytree(finished, cells, ignore=shutil.ignore_patterns(*FAILURE))
        yield folder
    except InputError:
        # Nothing was done that would be worth keeping, unless an earlier run left something.
        if not cells.exists():
            remove(folder.partial)
        raise
    finally:
        # In a notebook the traceback of an error keeps the folder alive, and with it the lock.
        folder.release()


def _has_settings(place: Path, config: Config) -> bool:
    """Says whether a finished run has cells that this one can use."""
    if not (place / CELLS).is_dir() or not (place / CONFIG).is_file():
        return False
    lasting = json.loads(json.dumps(config.lasting()))
    return json.loads((place / CONFIG).read_text(encoding="utf-8")) == lasting


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


def _work(config: Config, plans: list[Plan], cells: Path, jobs: int, terminal: Terminal) -> None:
    cells.mkdir(exist_ok=True)
    for unfinished in cells.glob("*/.*.partial"):
        remove(unfinished)
    check_data(config, plans, cells)
    left = [plan for plan in plans if not is_done(plan, cells)]
    if len(left) < len(plans):
        terminal.line(f"{len(plans) - len(left)} are finished already")
    try:
        _work_on_all(config, left, cells, jobs, terminal)
    except KeyboardInterrupt:
        done = sum(is_done(plan, cells) for plan in plans)
        raise KeyboardInterrupt(
            f"{done} of {len(plans)} groups of networks are finished and kept; the same command "
            "goes on with the others"
        ) from None


def _work_on_all(
    config: Config, left: list[Plan], cells: Path, jobs: int, terminal: Terminal
) -> None:
    if jobs > 1:
        work_in_processes(config, left, cells, jobs, terminal)
        return
    for number, plan in enumerate(left, start=1):
        terminal.line(f"({number}/{len(left)}) {plan.cell.name}")
        work_on(config, plan, cells, lambda rounds: [RoundsBar(rounds)])


def _costs(config: Config, cells: Path, terminal: Terminal) -> list[Record]:
    """Returns the records of the study `cost`, which measures what others only need done."""
    if "cost" not in config.studies:
        return []
    place = cells / "cost.json"
    if not place.is_file():
        write_records(place, measure_costs(config, terminal))
    return read_records(place)


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
    memory = peak_memory_gib()
    if memory is not None:
        record.add("peak_memory_gib", memory)
    return record


def _records(study: str, asked: Asked, folder: CellFolder) -> list[Record]:
    """Returns the records that a study asked a cell for; none if its training failed."""
    if folder.failure() is not None:
        return []
    found = [record for measure in asked.measures for record in folder.load_records(measure)]
    records = [{"study": study, **asked.keys, **record} for record in found]
    if study == "methods" and asked.cell.method == INDEPENDENT:
        # Independent training is the bound without a rotation head.
        bound = {"study": study, "method": UPPER_BOUND_WITHOUT_ROTATION}
        records += [{**record, **bound} for record in select(found, metric="own_accuracy")]
    return records


def _failures(plans: list[Plan], cells: Path) -> list[str]:
    """Returns the names of cells whose loss was not finite, with what happened."""
    found = {plan.cell.name: CellFolder(cells, plan.cell).failure() for plan in plans}
    return [f"{name} ({message})" for name, message in found.items() if message is not None]
