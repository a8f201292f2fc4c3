"""A cell on disk: its networks, its records, and what made them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from keras_compat.experiments.runner.forms import MadeByCell
from keras_compat.experiments.runner.item_folder import MADE_BY, NETWORKS, DamagedItem, ItemFolder
from keras_compat.experiments.runner.work_item import Done
from keras_compat.reporting.records import Record
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
    """Returns the models of a cell, with the description by which `load_networks` finds them.

    Args:
        cell: Training that left the networks.
        networks: Networks by name.
    """
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
