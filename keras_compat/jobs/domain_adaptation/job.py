"""Domain adaptation from data to adapted networks: steps, measures, records (Sec. 5.1)."""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from keras_compat.jobs.domain_adaptation.config import Config
from keras_compat.jobs.domain_adaptation.domains import Domain, Domains, load_rotation_images
from keras_compat.jobs.domain_adaptation.steps import ADAPTATION, SOURCE, Step, steps_of
from keras_compat.jobs.domain_adaptation.training import check_architecture
from keras_compat.jobs.domain_adaptation.work import fingerprints, load, work_on
from keras_compat.jobs.naming import identifier
from keras_compat.jobs.output_folder import FINISHED
from keras_compat.jobs.progress import Terminal
from keras_compat.jobs.resumable import resumable_folder, take_over
from keras_compat.jobs.settings import check_at_least
from keras_compat.jobs.step_folder import NETWORKS
from keras_compat.jobs.steps import check_trained, do_all, failures, gather, without_result
from keras_compat.reporting import Run
from keras_compat.reporting.domain_adaptation import terminal_text, write_report
from keras_compat.training import NonFiniteLoss

STEPS = "steps"


def run(
    config: Config,
    output_dir: str | os.PathLike[str],
    overwrite: bool = False,
    jobs: int = 1,
) -> dict[str, Any]:
    """Adapts networks and writes the folder of the run; one that was killed goes on where it was.

    Args:
        config: every setting.
        output_dir: where `metrics.json`, `report.md`, `figures/`, `networks/` (of the first seed)
            and `steps/` go once all is done.
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
        said = config.network or config.source
        terminal.phase(f"Reading {said} and {config.target}")
        domains, steps = _prepare(config, terminal)
        check = partial(check_trained, steps, config.lasting(), partial(fingerprints, config))
        if overwrite and not place.exists():
            take_over(Path(output_dir), place, config.lasting(), (), check, terminal)
        terminal.phase("Training and adapting")
        check(place)
        do_all(steps, place, jobs, terminal, partial(work_on, config, place))
        failed = failures(steps, place)
        if all(step.name in failed for step in steps if step.kind == ADAPTATION):
            raise NonFiniteLoss(f"{without_result(failed)}; see {folder.partial}")
        terminal.phase("Writing the report")
        record = Run("domain_adaptation", asdict(config))
        record.data |= _data(config, domains)
        gather(record, steps, place)
        metrics = record.write(folder.partial / FINISHED)
        write_report(metrics, folder.partial)
        _copy_networks(config, steps, place, folder.partial / NETWORKS)
        finished = folder.finish()
    print(f"\n{terminal_text(metrics['results'])}\n\nEverything is in {finished}/")
    if failed:
        raise NonFiniteLoss(f"{without_result(failed)}; paths are those in {finished}")
    return metrics


def _prepare(config: Config, terminal: Terminal) -> tuple[Domains, list[Step]]:
    """Loads the data and finds out what there is to do, and whether it can be done."""
    domains = load(config)
    directions = domains.directions(config.both)
    names = [(_source_name(config, source), target.name) for source, target in directions]
    if config.rotation_init is not None:
        load_rotation_images(config)
    if config.network is None:
        check_architecture(config, [source.labelled for source, _ in directions])
    sides = [side for side in (domains.source, domains.target) if side is not None]
    for side in sides:
        tests = f", {len(side.labelled.test):,} test images" if side.labelled else ""
        terminal.line(f"{side.name}: {len(side.images.images):,} training images{tests}")
    common = [domains.class_names[c] for c in domains.classes]
    known = domains.target.labelled is not None
    terminal.line(f"{'common classes' if known else 'classes'}: {', '.join(common)}")
    if not known:
        terminal.line("the target has no labels: there will be no accuracy")
    return domains, steps_of(config, names)


def _source_name(config: Config, source: Domain | None) -> str:
    if source is not None:
        return source.name
    return identifier(Path(config.network).resolve().name)


def _data(config: Config, domains: Domains) -> dict[str, Any]:
    """Returns the fingerprints of all images of a run."""
    sides = [side for side in (domains.source, domains.target) if side is not None]
    found = {side.name: (side.labelled or side.images.images).fingerprint() for side in sides}
    if config.rotation_init is not None:
        found["rotation_init"] = load_rotation_images(config).images.fingerprint()
    return found


def _copy_networks(config: Config, steps: list[Step], place: Path, networks: Path) -> None:
    """Puts the networks of the first seed, before and after, where a user looks for them."""
    for step in steps:
        trained = place / step.name / NETWORKS
        if step.seed == config.seed and step.kind in (SOURCE, ADAPTATION) and trained.is_dir():
            name = step.name.removesuffix(f"_seed{step.seed}")
            shutil.copytree(trained, networks / name)
