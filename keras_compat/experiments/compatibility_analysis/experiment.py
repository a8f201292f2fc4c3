"""The compatibility analysis: which networks can be recombined, by method (Sec. 4, App. A, B)."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any

from keras_compat.errors import InputError
from keras_compat.experiments.compatibility_analysis.cost import measure_costs
from keras_compat.experiments.compatibility_analysis.execute import EXECUTION, CellFolder
from keras_compat.experiments.compatibility_analysis.groups import (
    Group,
    load_group,
    load_pretraining_data,
)
from keras_compat.experiments.compatibility_analysis.items import merge
from keras_compat.experiments.compatibility_analysis.settings import EVALUATION, Settings
from keras_compat.experiments.compatibility_analysis.training import check_cells
from keras_compat.experiments.runner.item_folder import check_records
from keras_compat.experiments.runner.runner import Experiment, Prepared, Work
from keras_compat.experiments.runner.terminal import Terminal
from keras_compat.files import read_json, write_text
from keras_compat.methods import INDEPENDENT, UPPER_BOUND_WITHOUT_ROTATION
from keras_compat.networks.architectures import find_architecture
from keras_compat.reporting import Run
from keras_compat.reporting.hardware import collect_hardware
from keras_compat.reporting.merging import add_maker
from keras_compat.reporting.records import Record, make_record, select
from keras_compat.studies import cells_of
from keras_compat.studies.cells import Asked, Known
from keras_compat.studies.report import REPORT
from keras_compat.versions import collect_versions

COST = "cost"


def _prepare(config: Settings, terminal: Terminal) -> Prepared:
    group = load_group(config)
    items = merge(_wanted(config))
    groups = {False: group}
    if any(item.cell.same_data for item in items):
        groups[True] = load_group(config, same_data=True)
    data = {name: dataset.fingerprint() for name, dataset in group.datasets.items()}
    if "pretrained" in config.studies:
        data["pretraining"] = load_pretraining_data(config).fingerprint()
    check_cells(config, [item.cell for item in items if item.measures], groups)
    terminal.describe(group.datasets)
    names = next(iter(group.datasets.values())).class_names[: group.common]
    terminal.line(f"common classes: {', '.join(names)}")
    return Prepared(items, data)


def _wanted(config: Settings) -> dict[str, list[Asked]]:
    """Returns what each study asks for."""
    return cells_of(config.studies, _known(config, load_group(config)))


def _known(config: Settings, group: Group) -> Known:
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
        architectures=config.architectures,
        methods=config.methods,
        seeds=range(config.seed, config.seed + config.seeds),
    )


def _add_costs(work: Work, record: Run) -> None:
    """Adds the records of the study `cost`, if it is asked for.

    The study is about time and memory themselves. So what was measured with other versions, on
    another machine, or with other settings is measured again.
    """
    config = work.config
    if COST not in config.studies:
        return
    settings = {k: v for k, v in config.lasting().items() if k not in EVALUATION}
    made_with = {
        "settings": json.loads(json.dumps({**settings, "methods": config.methods})),
        "versions": collect_versions(),
        "hardware": collect_hardware(),
    }
    place = work.place / f"{COST}.json"
    found = _read_costs(place)
    if {key: found.get(key) for key in made_with} != made_with:
        found = {**made_with, "records": measure_costs(config, work.terminal)}
        write_text(place, json.dumps(found, indent=2) + "\n")
    record.results += [{"study": COST, **cost} for cost in found["records"]]
    add_maker(record.made_by, found["versions"], found["hardware"], [COST])


def _read_costs(place: Path) -> dict[str, Any]:
    """Returns the stored costs; nothing if there are none, or they are damaged."""
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


def _all_records(work: Work) -> list[Record]:
    """Returns the records of all cells, each once for every study that it belongs to."""
    return [
        record
        for study, wanted in _wanted(work.config).items()
        for asked in wanted
        for record in _records(study, asked, CellFolder(work.place / asked.cell.name))
    ]


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


EXPERIMENT = Experiment(
    name="compatibility_analysis",
    doing="Training and measuring groups of networks",
    reading=lambda config: ", ".join(dict.fromkeys(config.datasets)),
    prepare=_prepare,
    execution=EXECUTION,
    # Costs are measured whatever becomes of the cells.
    is_wanted=lambda config, item: bool(item.measures) and COST not in config.studies,
    write_report=REPORT.write,
    terminal_text=lambda metrics: REPORT.terminal_text(metrics["results"], metrics["config"]),
    folder="cells",
    measuring=EVALUATION,
    records=_all_records,
    finish=_add_costs,
)
"""Trains groups of networks by each method, and measures how well their parts recombine."""
