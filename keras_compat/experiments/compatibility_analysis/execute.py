"""Trains and measures one cell, in whatever process; what is there already is not done again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras

from keras_compat.data.quiet_tensorflow import import_tensorflow
from keras_compat.experiments.compatibility_analysis.cell_folder import CellFolder
from keras_compat.experiments.compatibility_analysis.groups import (
    Group,
    load_group,
    load_pretraining_data,
)
from keras_compat.experiments.compatibility_analysis.items import Plan, pretraining_cell
from keras_compat.experiments.compatibility_analysis.measures import MEASURES, Trained
from keras_compat.experiments.compatibility_analysis.methods import PRETRAINING, parse_method
from keras_compat.experiments.compatibility_analysis.settings import Config
from keras_compat.experiments.compatibility_analysis.training import (
    Callbacks,
    Network,
    no_callbacks,
    pretrain,
    train_cell,
)
from keras_compat.experiments.runner.checkpointing import Resumption
from keras_compat.experiments.runner.item_folder import DamagedStep
from keras_compat.experiments.runner.resume_options import CHECKPOINT_SECONDS
from keras_compat.studies.cells import Cell
from keras_compat.training import NonFiniteLoss


def is_done(plan: Plan, cells: Path) -> bool:
    """Says whether a cell is trained and all its measures are taken, or its training failed."""
    folder = CellFolder(cells, plan.cell)
    if folder.failure() is not None:
        return True
    return folder.made_by() is not None and all(folder.has(m) for m in plan.measures)


def work_on(
    config: Config,
    plan: Plan,
    cells: Path,
    callbacks: Callbacks = no_callbacks,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> None:
    """Trains a cell and takes its measures, each unless its result is there.

    A training that was interrupted goes on where it was.

    A loss that is not finite is the result of a cell too: it is noted, and nothing is measured.

    Args:
        config: of the run.
        plan: the cell and its measures.
        cells: the folder of all cells.
        callbacks: for each stage of training.
        checkpoint_seconds: between two checkpoints; 0 writes none.
    """
    # Keras loads it for files of models, on any backend: so without a word, and off its GPUs.
    with suppress(ImportError):
        import_tensorflow()
    folder = CellFolder(cells, plan.cell)
    group = load_group(config, plan.cell.same_data)
    keras.utils.set_random_seed(plan.cell.seed)
    data = _fingerprints(config, plan.cell)
    if folder.made_by() is None:
        settings = _settings(config, plan.cell)
        resumption = Resumption(folder.checkpoints, checkpoint_seconds, settings, data)
        start = time.perf_counter()
        try:
            # To the end of writing: should that fail, a checkpoint has what was trained.
            with resumption:
                networks = _trained(config, plan.cell, group, cells, callbacks)
                duration = time.perf_counter() - start + resumption.earlier_s
                folder.save_networks(networks, duration, settings, data)
        except NonFiniteLoss as error:
            folder.save_failure(str(error))
            return
        resumption.forget()
    missing = [measure for measure in plan.measures if not folder.has(measure)]
    if missing:
        # From the files, so that a measure does not depend on when it is taken.
        trained = Trained(config, plan.cell, group, folder.load_networks())
        for measure in missing:
            folder.save_records(measure, MEASURES[measure](trained))
    # Keras keeps what it made for a process; a study makes hundreds of networks.
    keras.backend.clear_session()


def check_trained(config: Config, plans: Sequence[Plan], cells: Path) -> None:
    """Makes sure that the cells which are trained already are those that the run would train.

    Args:
        config: of the run.
        plans: all of its cells.
        cells: the folder of all cells.

    Raises:
        InputError: if a cell was trained on other images or with other settings.
    """
    for plan in plans:
        folder = CellFolder(cells, plan.cell)
        try:
            trained = folder.made_by() is not None
        except DamagedStep:
            trained = False  # it is set aside once it is this run's own
        if trained:
            folder.check(_settings(config, plan.cell), _fingerprints(config, plan.cell))


def _settings(config: Config, cell: Cell) -> dict[str, Any]:
    return config.trains(pretrained=cell.pretrained or cell.method == PRETRAINING)


def _fingerprints(config: Config, cell: Cell) -> dict[str, Any]:
    """Returns what identifies all images that a cell learns from."""
    found = {}
    if cell.method != PRETRAINING:
        datasets = load_group(config, cell.same_data).datasets
        found = {name: dataset.fingerprint() for name, dataset in datasets.items()}
    if cell.method == PRETRAINING or cell.pretrained:
        found["pretraining"] = load_pretraining_data(config).fingerprint()
    return found


def _trained(
    config: Config, cell: Cell, group: Group, cells: Path, callbacks: Callbacks
) -> dict[str, Network]:
    last_good = CellFolder(cells, cell).last_good
    if cell.method == PRETRAINING:
        images = load_pretraining_data(config)
        return pretrain(config, cell.seed, group, images, last_good, callbacks)
    start = None
    if cell.pretrained:
        start = _start(CellFolder(cells, pretraining_cell(cell)), cell)
    return train_cell(config, cell, group, last_good, start, callbacks)


def _start(folder: CellFolder, cell: Cell) -> dict[str, Network]:
    """Returns the networks to start from: one for all with IIW, else one each."""
    if folder.failure() is not None:
        raise NonFiniteLoss(f"the pre-training failed: {folder.failure()}")
    start = folder.load_networks()
    if parse_method(cell.method).identical_weights:
        return dict.fromkeys(start, next(iter(start.values())))
    return start
