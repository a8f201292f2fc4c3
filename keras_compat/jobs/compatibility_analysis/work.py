"""Trains and measures one cell, in whatever process; what is there already is not done again."""

from __future__ import annotations

import time
from pathlib import Path

import keras

from keras_compat.jobs.compatibility_analysis.cell_folder import CellFolder
from keras_compat.jobs.compatibility_analysis.cells import Cell, Plan, pretraining_cell
from keras_compat.jobs.compatibility_analysis.config import Config
from keras_compat.jobs.compatibility_analysis.groups import (
    Group,
    load_group,
    load_pretraining_data,
)
from keras_compat.jobs.compatibility_analysis.measures import MEASURES, Trained
from keras_compat.jobs.compatibility_analysis.methods import PRETRAINING, parse_method
from keras_compat.jobs.compatibility_analysis.training import (
    Callbacks,
    Network,
    no_callbacks,
    pretrain,
    train_cell,
)


def is_done(plan: Plan, cells: Path) -> bool:
    """Says whether a cell is trained and all its measures are taken."""
    folder = CellFolder(cells, plan.cell)
    return folder.made_by() is not None and all(folder.has(m) for m in plan.measures)


def work_on(config: Config, plan: Plan, cells: Path, callbacks: Callbacks = no_callbacks) -> None:
    """Trains a cell and takes its measures, each unless its result is there.

    Args:
        config: of the run.
        plan: the cell and its measures.
        cells: the folder of all cells.
        callbacks: for each stage of training.

    Raises:
        NonFiniteLoss: when a loss becomes NaN or infinite.
    """
    folder = CellFolder(cells, plan.cell)
    group = load_group(config, plan.cell.same_data)
    keras.utils.set_random_seed(plan.cell.seed)
    if folder.made_by() is None:
        start = time.perf_counter()
        networks = _trained(config, plan.cell, group, cells, callbacks)
        fingerprints = {name: d.fingerprint() for name, d in group.datasets.items()}
        folder.save_networks(networks, time.perf_counter() - start, fingerprints)
    missing = [measure for measure in plan.measures if not folder.has(measure)]
    if missing:
        # From the files, so that a measure does not depend on when it is taken.
        trained = Trained(config, plan.cell, group, folder.load_networks())
        for measure in missing:
            folder.save_records(measure, MEASURES[measure](trained))
    # Keras keeps what it made for a process; a study makes hundreds of networks.
    keras.backend.clear_session()


def _trained(
    config: Config, cell: Cell, group: Group, cells: Path, callbacks: Callbacks
) -> dict[str, Network]:
    last_good = CellFolder(cells, cell).last_good
    if cell.method == PRETRAINING:
        images = load_pretraining_data(config)
        return pretrain(config, cell.seed, group, images, last_good, callbacks)
    start = None
    if cell.pretrained:
        start = CellFolder(cells, pretraining_cell(cell)).load_networks()
        if parse_method(cell.method).identical_weights:
            first = next(iter(start.values()))
            start = dict.fromkeys(start, first)
    return train_cell(config, cell, group, last_good, start, callbacks)
