"""Domain adaptation: from data to adapted networks (Sec. 5.1)."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from keras_compat.experiments.domain_adaptation.build import check_architecture
from keras_compat.experiments.domain_adaptation.domains import Domain, Domains, load_rotation_images
from keras_compat.experiments.domain_adaptation.execute import EXECUTION, load
from keras_compat.experiments.domain_adaptation.items import ADAPTATION, SOURCE, items_of
from keras_compat.experiments.domain_adaptation.settings import Config
from keras_compat.experiments.naming import identifier
from keras_compat.experiments.runner.runner import Experiment, Prepared, copy_networks
from keras_compat.experiments.runner.terminal import Terminal
from keras_compat.experiments.stored_network import fingerprint
from keras_compat.reporting.domain_adaptation import terminal_text, write_report


def _prepare(config: Config, terminal: Terminal) -> Prepared:
    domains = load(config)
    directions = domains.directions(config.both)
    names = [(_source_name(config, source), target.name) for source, target in directions]
    data = _data(config, domains)
    if config.network is None:
        check_architecture(config, [source.labelled for source, _ in directions])
    for side in _sides(domains):
        tests = f", {len(side.labelled.test):,} test images" if side.labelled else ""
        terminal.line(f"{side.name}: {len(side.images.images):,} training images{tests}")
    common = [domains.class_names[c] for c in domains.classes]
    known = domains.target.labelled is not None
    terminal.line(f"{'common classes' if known else 'classes'}: {', '.join(common)}")
    if not known:
        terminal.line("the target has no labels: there will be no accuracy")
    return Prepared(items_of(config, names), data)


def _source_name(config: Config, source: Domain | None) -> str:
    if source is not None:
        return source.name
    return identifier(Path(config.network).resolve().name)


def _sides(domains: Domains) -> list[Domain]:
    return [side for side in (domains.source, domains.target) if side is not None]


def _data(config: Config, domains: Domains) -> dict[str, Any]:
    """Returns the fingerprints of all images of a run."""
    found = {
        side.name: (side.labelled or side.images.images).fingerprint() for side in _sides(domains)
    }
    if config.network is not None:
        found["network"] = fingerprint(config.network)
    if config.rotation_init is not None:
        found["rotation_init"] = load_rotation_images(config).images.fingerprint()
    return found


EXPERIMENT = Experiment(
    name="domain_adaptation",
    doing="Training and adapting",
    reading=lambda config: f"{config.network or config.source} and {config.target}",
    prepare=_prepare,
    execution=EXECUTION,
    is_wanted=lambda config, item: item.kind == ADAPTATION,
    write_report=write_report,
    terminal_text=lambda metrics: terminal_text(metrics["results"]),
    finish=partial(copy_networks, (SOURCE, ADAPTATION)),
)
"""Adapts networks to a target; `networks/` has the networks of the first seed."""
