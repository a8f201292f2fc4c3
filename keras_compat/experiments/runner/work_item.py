"""The work items of a run: each is done once, in any process, and what it leaves is kept."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import keras

from keras_compat.data.quiet_tensorflow import import_tensorflow
from keras_compat.experiments.runner.checkpointing import Resumption
from keras_compat.experiments.runner.item_folder import ItemFolder
from keras_compat.experiments.settings import CHECKPOINT_SECONDS
from keras_compat.reporting.records import Record
from keras_compat.training import NonFiniteLoss

Callbacks = Callable[[int], list[keras.callbacks.Callback]]
"""Function from a number of rounds to Keras callbacks for them."""

RECORDS = "records"
"""Name of the records that an item leaves together with its models."""


class WorkItem(ABC):
    """One unit of an experiment's work: usually a training and its measurements.

    Attributes:
        kind: Name of the function that does the item, see `Execution`.
        seed: Seed of weights, data order and augmentation.
        starts_from: Names of the items that must be done before.
        measures: Names of the records that a finished item has.
    """

    kind: str
    seed: int
    starts_from: Collection[str] = ()
    measures: Collection[str] = (RECORDS,)

    @property
    @abstractmethod
    def name(self) -> str:
        """Name of the item's folder, different for different items."""


class Done(NamedTuple):
    """Models and records that an item leaves.

    Attributes:
        models: Models by the names of their files.
        records: Records of what was measured during the work.
        about: Description of the models, stored beside them.
    """

    models: Mapping[str, keras.Model]
    records: Sequence[Record] = ()
    about: Mapping[str, Any] = {}


def no_callbacks(rounds: int) -> list[keras.callbacks.Callback]:
    """Returns no callbacks."""
    return []


def no_measures(*_: Any) -> Iterable[tuple[str, list[Record]]]:
    """Returns no records: an item's own work measures everything."""
    return ()


@dataclass(frozen=True)
class Execution:
    """Functions that do an experiment's items; a process of its own can be given them.

    Args:
        kinds: Functions that do an item, by its kind. Each takes the run's settings, the item, the
            folder of all items, and callbacks.
        settings: Function that returns the settings that an item depends on. It takes the run's
            settings and the item, as the following functions do.
        fingerprints: Function that returns the fingerprints of an item's images, by name.
        measure: Function that yields the names and records of measures of a trained item. It also
            takes the item's folder and the names of the measures.
        folder: Class of the items' folders.
    """

    kinds: Mapping[str, Callable[[Any, Any, Path, Callbacks], Done]]
    settings: Callable[[Any, Any], Mapping[str, Any]]
    fingerprints: Callable[[Any, Any], Mapping[str, Any]]
    measure: Callable[..., Iterable[tuple[str, list[Record]]]] = no_measures
    folder: type[ItemFolder] = ItemFolder

    def is_done(self, item: WorkItem, place: Path) -> bool:
        """Says whether an item has left everything that it should, or has failed."""
        folder = self.folder(place / item.name)
        there = folder.made_by() is not None and all(map(folder.has, item.measures))
        return there or folder.failure() is not None

    def do(
        self,
        config: Any,
        place: Path,
        item: WorkItem,
        callbacks: Callbacks = no_callbacks,
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
    ) -> None:
        """Does an item unless it is done, and keeps what it leaves.

        A checkpoint is written every `checkpoint_seconds`, none with 0. An interrupted training
        goes on from its last checkpoint. A loss that is not finite is
        noted as the item's result.
        """
        # Keras loads it for files of models, on any backend: so without a word, and off its GPUs.
        with suppress(ImportError):
            import_tensorflow()
        folder = self.folder(place / item.name)
        if self.is_done(item, place):
            return
        keras.utils.set_random_seed(item.seed)
        own = [RECORDS] if RECORDS in item.measures else []
        if folder.made_by() is None or not all(map(folder.has, own)):
            settings, data = self.settings(config, item), self.fingerprints(config, item)
            resumption = Resumption(folder.checkpoints, checkpoint_seconds, settings, data)
            start = time.perf_counter()
            try:
                # To the end of writing: should that fail, a checkpoint has what was trained.
                with resumption:
                    done = self.kinds[item.kind](config, item, place, callbacks)
                    duration = time.perf_counter() - start + resumption.earlier_s
                    for name in own:
                        folder.save_records(name, list(done.records))
                    folder.save_models(done.models, duration, settings, data, own, **done.about)
            except NonFiniteLoss as error:
                folder.save_failure(str(error))
                return
            resumption.forget()
        missing = [name for name in item.measures if not folder.has(name)]
        for name, records in self.measure(config, item, folder, missing) if missing else ():
            folder.save_records(name, records)
        # Keras keeps what it made for a process; a run makes hundreds of networks.
        keras.backend.clear_session()


def done_before(place: Path, name: str) -> ItemFolder:
    """Returns the folder of an item that another one starts from.

    Raises:
        NonFiniteLoss: if the item failed.
    """
    folder = ItemFolder(place / name)
    if folder.failure() is not None:
        raise NonFiniteLoss(f"what it starts from failed: {folder.failure()}")
    return folder
