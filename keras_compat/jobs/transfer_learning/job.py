"""Transfer learning from data to a ranking of sources: steps, measures, records (Sec. 5.3)."""

from __future__ import annotations

import os
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from keras_compat.jobs.output_folder import FINISHED
from keras_compat.jobs.progress import Terminal
from keras_compat.jobs.resumable import resumable_folder, take_over
from keras_compat.jobs.settings import check_at_least
from keras_compat.jobs.steps import check_trained, do_all, failures, gather, without_result
from keras_compat.jobs.transfer_learning.config import Config
from keras_compat.jobs.transfer_learning.data import load_all, load_rotation_data, names_of
from keras_compat.jobs.transfer_learning.steps import TRANSFER, steps_of
from keras_compat.jobs.transfer_learning.training import check_architecture
from keras_compat.jobs.transfer_learning.work import fingerprints, work_on
from keras_compat.reporting import Run
from keras_compat.reporting.transfer_learning import terminal_text, write_report
from keras_compat.training import NonFiniteLoss

STEPS = "steps"


def run(
    config: Config,
    output_dir: str | os.PathLike[str],
    overwrite: bool = False,
    jobs: int = 1,
) -> dict[str, Any]:
    """Transfers every source to every target; a run that was killed goes on where it was.

    Args:
        config: every setting.
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
        specs = dict.fromkeys([config.rotation_data, *config.specs()])
        terminal.phase(f"Reading {', '.join(specs)}")
        datasets = load_all(config)
        check_architecture(config, load_rotation_data(config))
        for name, dataset in datasets.items():
            terminal.line(
                f"{name}: {len(dataset.train):,} training images, {len(dataset.test):,} test "
                f"images, {len(dataset.class_names)} classes"
            )
        steps = steps_of(config, names_of(config))
        check = partial(check_trained, steps, config.lasting(), partial(fingerprints, config))
        if overwrite and not place.exists():
            take_over(Path(output_dir), place, config.lasting(), (), check, terminal)
        terminal.phase("Training, recombining and fine-tuning")
        check(place)
        do_all(steps, place, jobs, terminal, partial(work_on, config, place))
        failed = failures(steps, place)
        if all(step.name in failed for step in steps if step.kind == TRANSFER):
            raise NonFiniteLoss(f"{without_result(failed)}; see {folder.partial}")
        terminal.phase("Writing the report")
        record = Run("transfer_learning", asdict(config))
        record.data["rotation_data"] = load_rotation_data(config).fingerprint()
        record.data |= {name: dataset.fingerprint() for name, dataset in datasets.items()}
        gather(record, steps, place)
        metrics = record.write(folder.partial / FINISHED)
        write_report(metrics, folder.partial)
        finished = folder.finish()
    print(f"\n{terminal_text(metrics['results'])}\n\nEverything is in {finished}/")
    if failed:
        raise NonFiniteLoss(f"{without_result(failed)}; paths are those in {finished}")
    return metrics
