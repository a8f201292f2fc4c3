"""Classifier transfer: from data to one updated head for all extractors, and files (Sec. 5.2)."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from dataclasses import replace

from keras_compat.data import StreamedExamples
from keras_compat.deployment.optional_dependencies import require
from keras_compat.experiments.classifier_transfer import shipping
from keras_compat.experiments.classifier_transfer.build import check
from keras_compat.experiments.classifier_transfer.execute import (
    EXECUTION,
    LOGS,
    VARIANTS,
    packages_missing_for_logs,
    updated_parts,
)
from keras_compat.experiments.classifier_transfer.items import BOUND, UPDATE, items_of
from keras_compat.experiments.classifier_transfer.preparation import load_prepared
from keras_compat.experiments.classifier_transfer.settings import Settings
from keras_compat.experiments.runner.item_folder import CHECKPOINTS, NETWORKS, ItemFolder
from keras_compat.experiments.runner.runner import Experiment, Prepared, Work
from keras_compat.experiments.runner.terminal import Terminal
from keras_compat.files import remove
from keras_compat.machine import peak_memory_gib
from keras_compat.printing import tell
from keras_compat.reporting import Run
from keras_compat.reporting.classifier_transfer import terminal_text, write_report


def _complete(config: Settings) -> Settings:
    """Decides whether files for servers and phones are written, where the settings leave it open.

    Raises:
        InputError: if the files are asked for, and a package for them is not installed.
    """
    left_out = shipping.missing_packages() if config.export is not False else []
    if config.export:
        for package in left_out:
            require(package, "export (leave it out with --no-export)")
    _tell_of_missing("files for servers and phones", left_out)
    return replace(config, export=config.export is not False and not left_out)


def _tell_of_missing(what: str, packages: list[str]) -> None:
    if packages:
        tell(
            f"{what} are left out: they need {' and '.join(packages)}, which come with: "
            "pip install 'keras_compat[tensorflow]'"
        )


def _prepare(config: Settings, terminal: Terminal) -> Prepared:
    # Each seed has a split of its own, which may leave a rare class without images.
    for number in reversed(range(config.seeds)):
        prepared = load_prepared(config, config.seed + number)
    dataset = prepared.dataset
    check(config, dataset)
    names = dataset.class_names
    terminal.line(
        f"{len(prepared.train):,} training images, {len(prepared.recalibration):,} for "
        f"recalibration, {len(prepared.test):,} test images"
    )
    if isinstance(prepared.train, StreamedExamples):
        terminal.line(f"over {config.memory_limit_gib:g} GiB: images are read as they are needed")
    terminal.line(
        f"initial classes: {', '.join(names[: prepared.initial])}; "
        f"new: {', '.join(names[prepared.initial :])}"
    )
    _tell_of_missing("logs", packages_missing_for_logs())
    return Prepared(items_of(config), {dataset.name: dataset.fingerprint()})


def _adopt(work: Work) -> None:
    """Moves the checkpoints of an interrupted run of release 0.1 to the items that they are of.

    That release numbered the trainings of a seed in the order of `items_of`.
    """
    place = work.folder / CHECKPOINTS
    numbers: Counter[int] = Counter()
    for item in work.items:
        numbers[item.seed] += 1
        before = place / f"seed{item.seed}" / f"{numbers[item.seed]:02d}"
        folder = ItemFolder(work.place / item.name)
        if before.is_dir() and not folder.path.exists():
            folder.checkpoints.mkdir(parents=True)
            os.rename(before, folder.checkpoints / "01")
    remove(place)


def _finish(work: Work, record: Run) -> None:
    """Adds `components/` and `export/` of the first seed, and figures of the exported files."""
    config = work.config
    done = [
        item
        for item in work.items
        if item.seed == config.seed and ItemFolder(work.place / item.name).made_by() is not None
    ]
    components = work.folder / "components"
    components.mkdir(exist_ok=True)
    for item in done:
        if item.kind != BOUND:
            for file in (work.place / item.name / NETWORKS).glob("*.keras"):
                shutil.copyfile(file, components / file.name)
    if config.export:
        updated = {
            VARIANTS[item.which]: updated_parts(config, item, work.place)
            for item in done
            if item.kind == UPDATE
        }
        shipping.ship(config, updated, work.folder / "export", work.terminal, record)
    memory = peak_memory_gib()
    if memory is not None:
        dataset = load_prepared(config, config.seed).dataset.name
        record.add("peak_memory_gib", memory, dataset=dataset)


EXPERIMENT = Experiment(
    name="classifier_transfer",
    doing="Training one head for all extractors, and evaluating it",
    reading=lambda config: config.dataset,
    prepare=_prepare,
    execution=EXECUTION,
    is_wanted=lambda config, item: item.kind == UPDATE,
    write_report=write_report,
    terminal_text=lambda metrics: terminal_text(metrics["results"]),
    keeps=(LOGS, CHECKPOINTS),
    complete=_complete,
    adopt=_adopt,
    finish=_finish,
)
"""Trains one head for all extractors, updates it on one of them, and ships it for each."""
