"""Transfer learning: from data to a ranking of sources and fine-tuned networks (Sec. 5.3)."""

from __future__ import annotations

from functools import partial

from keras_compat.experiments.network_building import check_architecture
from keras_compat.experiments.runner.runner import Experiment, Prepared, copy_networks
from keras_compat.experiments.runner.terminal import Terminal
from keras_compat.experiments.transfer_learning.data import load_all, load_rotation_data, names_of
from keras_compat.experiments.transfer_learning.execute import EXECUTION
from keras_compat.experiments.transfer_learning.items import (
    NETWORK,
    RANKING,
    ROTATION,
    TRANSFER,
    items_of,
)
from keras_compat.experiments.transfer_learning.settings import Settings
from keras_compat.reporting.transfer_learning import ranking_report, terminal_text, write_report


def _prepare(config: Settings, terminal: Terminal) -> Prepared:
    datasets = load_all(config)
    check_architecture(config, load_rotation_data(config))
    terminal.describe(datasets)
    data = {name: dataset.fingerprint() for name, dataset in datasets.items()}
    data["rotation_data"] = load_rotation_data(config).fingerprint()
    return Prepared(items_of(config, names_of(config)), data)


EXPERIMENT = Experiment(
    name="transfer_learning",
    doing="Training, recombining and fine-tuning",
    reading=lambda config: ", ".join(dict.fromkeys([config.rotation_data, *config.specs()])),
    prepare=_prepare,
    execution=EXECUTION,
    is_wanted=lambda config, item: item.kind in (RANKING, TRANSFER),
    write_report=write_report,
    terminal_text=lambda metrics: terminal_text(metrics["results"]),
    last_kind=TRANSFER,
    after_stage=ranking_report,
    finish=partial(copy_networks, (ROTATION, NETWORK, TRANSFER)),
)
"""Transfers every source to every target; `networks/` has the networks of the first seed."""
