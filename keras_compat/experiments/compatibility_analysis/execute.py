"""Work of each item of the analysis: trains the networks of a cell, and measures them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from keras_compat.experiments.compatibility_analysis.groups import load_group, load_pretraining_data
from keras_compat.experiments.compatibility_analysis.items import CELL, Item
from keras_compat.experiments.compatibility_analysis.settings import Settings
from keras_compat.experiments.compatibility_analysis.training import (
    as_trained,
    pretrain,
    train_cell,
)
from keras_compat.experiments.runner.forms import MadeByCell
from keras_compat.experiments.runner.item_folder import MADE_BY, NETWORKS, DamagedItem, ItemFolder
from keras_compat.experiments.runner.work_item import Callbacks, Done, Execution, done_before
from keras_compat.methods import PRETRAINING, parse_method
from keras_compat.reporting.records import Record
from keras_compat.studies import find_measure
from keras_compat.studies.cells import Cell
from keras_compat.studies.trained import Network


class CellFolder(ItemFolder):
    """Folder with the networks of a cell and the records of its measures."""

    form = MadeByCell

    def load_networks(self) -> dict[str, Network]:
        """Returns the trained networks by name, for inference."""
        about = self.made_by()
        # Cells of earlier releases have none.
        auxiliary = about.get("auxiliary_heads", {})
        return {
            name: Network(
                self.load_model(f"{name}_extractor"),
                self.load_model(f"{name}_head"),
                {task: self.load_model(file) for task, file in auxiliary.get(name, {}).items()},
            )
            for name in about["networks"]
        }

    def _verify(self) -> None:
        super()._verify()
        about = self.made_by()
        there = {file.stem for file in (self.path / NETWORKS).glob("*.keras")}
        extractors = [f"{name}_extractor" for name in about["networks"]]
        heads = {f"{name}_head" for name in about["networks"]}
        heads |= {h for own in about.get("auxiliary_heads", {}).values() for h in own.values()}
        # Cells of earlier releases have auxiliary heads that they do not name.
        if sorted(extractors) != sorted(f for f in there if f.endswith("_extractor")) or (
            heads - there
        ):
            raise DamagedItem(f"{self.path / NETWORKS / MADE_BY} names other networks than it has")

    def load_records(self, measure: str) -> list[Record]:
        """Returns the records of a measure, at least one."""
        records = super().load_records(measure)
        if not records:
            raise DamagedItem(f"the records of {measure!r} in {self.path} are gone")
        return records


def left_by(cell: Cell, networks: Mapping[str, Network]) -> Done:
    """Returns the models of a cell, with the description by which `load_networks` finds them."""
    models = {f"{name}_extractor": network.extractor for name, network in networks.items()}
    models |= {f"{name}_head": network.head for name, network in networks.items()}
    # A shared head is one file, by its own name.
    auxiliary = {
        name: {task: head.name for task, head in network.auxiliary_heads.items()}
        for name, network in networks.items()
    }
    for network in networks.values():
        models |= {head.name: head for head in network.auxiliary_heads.values()}
    about = {"cell": asdict(cell), "networks": list(networks), "auxiliary_heads": auxiliary}
    return Done(models, about=about)


def settings(config: Settings, item: Item) -> dict[str, Any]:
    """Returns the settings that the weights of a cell depend on."""
    return config.trains(pretrained=item.cell.pretrained or item.kind == PRETRAINING)


def fingerprints(config: Settings, item: Item) -> dict[str, Any]:
    """Returns the fingerprints of all images that a cell learns from, by name."""
    found = {}
    if item.kind != PRETRAINING:
        datasets = load_group(config, item.cell.same_data).datasets
        found = {name: dataset.fingerprint() for name, dataset in datasets.items()}
    if item.kind == PRETRAINING or item.cell.pretrained:
        found["pretraining"] = load_pretraining_data(config).fingerprint()
    return found


def _pretraining(config: Settings, item: Item, place: Path, callbacks: Callbacks) -> Done:
    last_good = CellFolder(place / item.name).last_good
    group, images = load_group(config, item.cell.same_data), load_pretraining_data(config)
    found = pretrain(config, item.seed, group, images, last_good, callbacks)
    return left_by(item.cell, found)


def _cell(config: Settings, item: Item, place: Path, callbacks: Callbacks) -> Done:
    last_good = CellFolder(place / item.name).last_good
    start = _start(item, place) if item.starts_from else None
    group = load_group(config, item.cell.same_data)
    found = train_cell(config, item.cell, group, last_good, start, callbacks)
    return left_by(item.cell, found)


def _start(item: Item, place: Path) -> dict[str, Network]:
    """Returns the networks to start from: one for all with IIW, else one each."""
    start = CellFolder(done_before(place, *item.starts_from).path).load_networks()
    if parse_method(item.cell.method).identical_weights:
        return dict.fromkeys(start, next(iter(start.values())))
    return start


def _measure(
    config: Settings, item: Item, folder: CellFolder, names: Sequence[str]
) -> Iterator[tuple[str, list[Record]]]:
    # From the files, so that a measure does not depend on when it is taken.
    group = load_group(config, item.cell.same_data)
    trained = as_trained(config, item.cell, group, folder.load_networks())
    for name in names:
        yield name, find_measure(name)(trained)


EXECUTION = Execution(
    {PRETRAINING: _pretraining, CELL: _cell}, settings, fingerprints, _measure, CellFolder
)
