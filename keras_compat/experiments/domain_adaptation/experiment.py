"""Domain adaptation: from data to adapted networks (Sec. 5.1)."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from keras_compat.experiments.domain_adaptation.domains import Domain
from keras_compat.experiments.domain_adaptation.execute import EXECUTION, fingerprints, load
from keras_compat.experiments.domain_adaptation.items import ADAPTATION, SOURCE, items_of
from keras_compat.experiments.domain_adaptation.settings import Settings
from keras_compat.experiments.naming import identifier
from keras_compat.experiments.network_building import check_architecture
from keras_compat.experiments.runner.runner import Experiment, Prepared, copy_networks
from keras_compat.experiments.runner.terminal import Terminal
from keras_compat.reporting.domain_adaptation import terminal_text, write_report


def _prepare(config: Settings, terminal: Terminal) -> Prepared:
    domains = load(config)
    directions = domains.directions(config.both)
    names = [(_source_name(config, source), target.name) for source, target in directions]
    if config.network is None:
        for source, _ in directions:
            check_architecture(config, source.labelled)
    for side in domains.sides:
        tests = f", {len(side.labelled.test):,} test images" if side.labelled else ""
        terminal.line(f"{side.name}: {len(side.images.images):,} training images{tests}")
    common = [domains.class_names[c] for c in domains.classes]
    known = domains.target.labelled is not None
    terminal.line(f"{'common classes' if known else 'classes'}: {', '.join(common)}")
    if not known:
        terminal.line("the target has no labels: there will be no accuracy")
    items = items_of(config, names)
    # An adaptation depends on all images.
    return Prepared(items, fingerprints(config, items[-1]))


def _source_name(config: Settings, source: Domain | None) -> str:
    if source is not None:
        return source.name
    return identifier(Path(config.network).resolve().name)


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
