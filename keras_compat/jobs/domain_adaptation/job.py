"""Domain adaptation from data to adapted networks: steps, measures, records (Sec. 5.1)."""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from keras_compat.files import remove
from keras_compat.jobs.domain_adaptation.config import Config
from keras_compat.jobs.domain_adaptation.domains import Domain, Domains, load_rotation_images
from keras_compat.jobs.domain_adaptation.steps import ADAPTATION, SOURCE, Step, steps_of
from keras_compat.jobs.domain_adaptation.training import check_architecture
from keras_compat.jobs.domain_adaptation.work import (
    MEASURE,
    fingerprints,
    is_done,
    load,
    work_on,
)
from keras_compat.jobs.naming import identifier
from keras_compat.jobs.output_folder import FINISHED
from keras_compat.jobs.processes import work_in_processes
from keras_compat.jobs.progress import RoundsBar, Terminal
from keras_compat.jobs.resumable import resumable_folder, take_over
from keras_compat.jobs.settings import check_at_least
from keras_compat.jobs.step_folder import NETWORKS, StepFolder
from keras_compat.reporting import Run
from keras_compat.reporting.domain_adaptation import terminal_text, write_report
from keras_compat.reporting.merging import add_maker
from keras_compat.reporting.records import make_record
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
        check = partial(_check_trained, config, steps)
        if overwrite and not place.exists():
            take_over(Path(output_dir), place, config.lasting(), (), check, terminal)
        terminal.phase("Training and adapting")
        place.mkdir(exist_ok=True)
        for unfinished in place.glob("*/.*.partial"):
            remove(unfinished)
        check(place)
        _work(config, steps, place, jobs, terminal)
        failures = _failures(steps, place)
        if all(step.name in failures for step in steps if step.kind == ADAPTATION):
            raise NonFiniteLoss(f"{_without_result(failures)}; see {folder.partial}")
        terminal.phase("Writing the report")
        record = _collect(config, domains, steps, place)
        metrics = record.write(folder.partial / FINISHED)
        write_report(metrics, folder.partial)
        _copy_networks(config, steps, place, folder.partial / NETWORKS)
        finished = folder.finish()
    print(f"\n{terminal_text(metrics['results'])}\n\nEverything is in {finished}/")
    if failures:
        raise NonFiniteLoss(f"{_without_result(failures)}; paths are those in {finished}")
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


def _work(config: Config, steps: list[Step], place: Path, jobs: int, terminal: Terminal) -> None:
    for step in steps:
        StepFolder(place / step.name).forget_failure()
    left = [step for step in steps if not is_done(step, StepFolder(place / step.name))]
    if len(left) < len(steps):
        terminal.line(f"{len(steps) - len(left)} of {len(steps)} steps are finished already")
    try:
        if jobs > 1:
            work_in_processes(
                partial(work_on, config, steps=place),
                {step.name: step for step in left},
                jobs,
                terminal,
                starts_from=lambda step: [step.starts_from] if step.starts_from else [],
            )
            return
        for number, step in enumerate(left, start=1):
            terminal.line(f"({number}/{len(left)}) {step.name}")
            show = step.kind != ADAPTATION
            work_on(config, step, place, (lambda r: [RoundsBar(r)]) if show else (lambda r: []))
    except KeyboardInterrupt:
        done = sum(is_done(step, StepFolder(place / step.name)) for step in steps)
        raise KeyboardInterrupt(
            f"{done} of {len(steps)} steps are finished and kept; the same command goes on with "
            "the others"
        ) from None


def _check_trained(config: Config, steps: list[Step], place: Path) -> None:
    """Raises an `InputError` if a step that is there was done otherwise, or on other images."""
    for step in steps:
        folder = StepFolder(place / step.name)
        if folder.made_by() is not None:
            folder.check(config.lasting(), fingerprints(config, step))


def _collect(config: Config, domains: Domains, steps: list[Step], place: Path) -> Run:
    record = Run("domain_adaptation", asdict(config))
    for side in (domains.source, domains.target):
        if side is not None:
            described = side.labelled or side.images.images
            record.data[side.name] = described.fingerprint()
    if config.rotation_init is not None:
        record.data["rotation_init"] = load_rotation_images(config).images.fingerprint()
    for step in steps:
        folder = StepFolder(place / step.name)
        made_by = folder.made_by()
        if made_by is not None:
            record.durations_s[step.name] = made_by["duration_s"]
            # A step may be from an earlier run, of other versions and on another machine.
            add_maker(record.made_by, made_by["versions"], made_by["hardware"], [step.name])
        if folder.has(MEASURE):
            record.results += folder.load_records(MEASURE)
        failure = folder.failure()
        if failure is not None:
            keys = {"step": step.name, "seed": step.seed}
            record.results.append(make_record("failure", 1, message=failure, **keys))
    return record


def _copy_networks(config: Config, steps: list[Step], place: Path, networks: Path) -> None:
    """Puts the networks of the first seed, before and after, where a user looks for them."""
    for step in steps:
        trained = place / step.name / NETWORKS
        if step.seed == config.seed and step.kind in (SOURCE, ADAPTATION) and trained.is_dir():
            name = step.name.removesuffix(f"_seed{step.seed}")
            shutil.copytree(trained, networks / name)


def _failures(steps: list[Step], place: Path) -> dict[str, str]:
    found = {step.name: StepFolder(place / step.name).failure() for step in steps}
    return {name: message for name, message in found.items() if message is not None}


def _without_result(failures: dict[str, str]) -> str:
    told = "; ".join(f"{name} ({message})" for name, message in failures.items())
    return f"without a result: {told}"
