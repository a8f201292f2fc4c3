"""Transfer learning from data to a ranking of sources: steps, measures, records (Sec. 5.3)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import Any

from keras_compat.experiments.runner.resume_options import RESUMING, Resuming
from keras_compat.experiments.runner.runner import Job, Prepared, copy_networks, run_stepwise
from keras_compat.experiments.runner.terminal import Terminal
from keras_compat.experiments.transfer_learning.data import load_all, load_rotation_data, names_of
from keras_compat.experiments.transfer_learning.execute import fingerprints, settings, work_on
from keras_compat.experiments.transfer_learning.items import (
    NETWORK,
    RANKING,
    ROTATION,
    TRANSFER,
    Step,
    steps_of,
)
from keras_compat.experiments.transfer_learning.settings import Config
from keras_compat.experiments.transfer_learning.training import check_architecture
from keras_compat.reporting.transfer_learning import ranking_report, terminal_text, write_report


def run(
    config: Config,
    output_dir: str | os.PathLike[str],
    overwrite: bool = False,
    jobs: int = 1,
    resuming: Resuming = RESUMING,
) -> dict[str, Any]:
    """Transfers every source to every target, see `run_stepwise`.

    The networks of the first seed, before and after fine-tuning, are in `networks/`.
    """
    reading = ", ".join(dict.fromkeys([config.rotation_data, *config.specs()]))
    return run_stepwise(_JOB, config, reading, output_dir, overwrite, jobs, resuming)


def _prepare(config: Config, terminal: Terminal) -> Prepared:
    datasets = load_all(config)
    check_architecture(config, load_rotation_data(config))
    for name, dataset in datasets.items():
        terminal.line(
            f"{name}: {len(dataset.train):,} training images, {len(dataset.test):,} test images, "
            f"{len(dataset.class_names)} classes"
        )
    data = {name: dataset.fingerprint() for name, dataset in datasets.items()}
    data["rotation_data"] = load_rotation_data(config).fingerprint()
    return Prepared(steps_of(config, names_of(config)), data)


def _stages(steps: Sequence[Step]) -> list[Sequence[Step]]:
    """Returns what leads to the ranking, and then the fine-tuning."""
    fine_tuned = [step for step in steps if step.kind == TRANSFER]
    before = steps[: len(steps) - len(fine_tuned)]
    return [stage for stage in (before, fine_tuned) if stage]


_JOB = Job(
    experiment="transfer_learning",
    doing="Training, recombining and fine-tuning",
    prepare=_prepare,
    work=work_on,
    settings=settings,
    fingerprints=fingerprints,
    measures=lambda step: step.kind in (RANKING, TRANSFER),
    write_report=write_report,
    terminal_text=terminal_text,
    stages=_stages,
    after_stage=ranking_report,
    finish=partial(copy_networks, (ROTATION, NETWORK, TRANSFER)),
)
