"""A work item on disk: its models, its records, and what made them."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import keras

from keras_compat.errors import InputError
from keras_compat.experiments.runner.forms import Failure, MadeBy, read_form
from keras_compat.files import open_file, read_json, remove, write_text, written_atomically
from keras_compat.reporting.hardware import collect_hardware
from keras_compat.reporting.records import Record, check_record
from keras_compat.reporting.stored_settings import as_of_today, difference
from keras_compat.store.importing import load_keras_file
from keras_compat.versions import collect_versions

FAILURE = ("failed.json", "last_good.keras")
"""Files of an item that failed."""
NETWORKS = "networks"
CHECKPOINTS = "checkpoints"
MADE_BY = "made_by.json"
_DAMAGED = "damaged"
_WRITTEN = "what a run wrote there"


class DamagedItem(InputError):
    """Damage of an item's file: what the file held is to be done again."""


class ItemFolder:
    """Folder with the models of a work item and the records of its measures.

    Each file and folder appears whole or not at all, so that a killed run leaves what was finished.
    Each method that reads a file raises `DamagedItem` if the file is not as it was written, see
    `set_aside_damaged`.

    Args:
        path: Path of the item's own folder, which is made when there is something to keep.
    """

    form: type[MadeBy] = MadeBy
    """Form of the file on what made the models."""

    def __init__(self, path: Path):
        self.path = path

    @property
    def last_good(self) -> Path:
        """File of the weights before a loss that was not finite."""
        return self.path / FAILURE[1]

    @property
    def checkpoints(self) -> Path:
        """Folder of what an unfinished training needs to go on."""
        return self.path / CHECKPOINTS

    def save_models(
        self,
        models: Mapping[str, keras.Model],
        duration_s: float,
        settings: Mapping[str, Any],
        data: Mapping[str, Any],
        measures: Iterable[str] = (),
        **about: Any,
    ) -> None:
        """Writes trained models, with what made them.

        Args:
            models: Models by the names of their files.
            duration_s: Seconds of training.
            settings: Settings that the weights depend on.
            data: Fingerprints of all images that the models learnt from, by name.
            measures: Names of measures whose records are there, and are verified with the models.
            **about: Further description of the item; it comes first.
        """
        with written_atomically(self.path / NETWORKS) as folder:
            folder.mkdir()
            for name, model in models.items():
                model.save(folder / f"{name}.keras")
            written = {f"{NETWORKS}/{file.name}": file for file in folder.iterdir()}
            taken = map(self._records, measures)
            written |= {file.name: file for file in taken}
            made_by = {
                **about,
                "duration_s": round(duration_s, 3),
                "settings": settings,
                "data": data,
                "files": {name: sha256(file) for name, file in sorted(written.items())},
                "versions": collect_versions(),
                "hardware": collect_hardware(),
            }
            write_text(folder / MADE_BY, json.dumps(made_by, indent=2) + "\n")

    def load_model(self, name: str) -> keras.Model:
        """Returns a trained model, for inference."""
        try:
            return load_model(self.path / NETWORKS / f"{name}.keras")
        except InputError as error:
            raise DamagedItem(error) from None

    def made_by(self) -> dict[str, Any] | None:
        """Returns what made the models; `None` if they were not trained yet."""
        path = self.path / NETWORKS / MADE_BY
        return _read(path, self.form) if os.path.lexists(path) else None

    def set_aside_damaged(self, measures: Collection[str]) -> None:
        """Sets damaged files aside with a warning, as if the item had not been done.

        Call it before any work, so that damage is found before training. Damaged files lie in a
        folder of their own until `clear` is called.
        """
        if not os.path.lexists(self.path):
            return
        if not self.path.is_dir():
            warnings.warn(f"{self.path} is no folder; it is removed and done anew", stacklevel=2)
            remove(self.path)
            return
        if os.path.lexists(self.path / NETWORKS):
            try:
                self._verify()
            except DamagedItem as error:
                # These were measured on networks that are gone.
                records = [file.name for file in self.path.glob("*.json")]
                self._set_aside([NETWORKS, *records], error)
        for measure in measures:
            try:
                if self.has(measure):
                    self.load_records(measure)
            except DamagedItem as error:
                self._set_aside([self._records(measure).name], error)

    def _verify(self) -> None:
        """Raises `DamagedItem` if models, or what was measured with them, are not whole."""
        made_by = self.made_by()
        if made_by is None:
            raise DamagedItem(f"{self.path / NETWORKS} has no {MADE_BY}")
        files = made_by.get("files")
        if files is None:
            for file in sorted((self.path / NETWORKS).glob("*.keras")):
                self.load_model(file.stem)
            return
        for name, digest in files.items():
            try:
                there = sha256(self.path / name)
            except (OSError, InputError) as error:
                raise DamagedItem(f"{self.path / name} cannot be read ({error})") from None
            if there != digest:
                raise DamagedItem(f"{self.path / name} is not what was written")

    def _set_aside(self, names: Iterable[str], why: DamagedItem) -> None:
        place = self.path / _DAMAGED
        warnings.warn(f"{why}; it is set aside in {place} and done again", stacklevel=3)
        if not place.is_dir():
            remove(place)
        place.mkdir(exist_ok=True)
        for name in names:
            if os.path.lexists(self.path / name):
                remove(place / name)
                os.rename(self.path / name, place / name)

    def clear(self) -> None:
        """Removes checkpoints and damaged files, which a finished run does not need."""
        remove(self.checkpoints)
        remove(self.path / _DAMAGED)

    def check(self, settings: Mapping[str, Any], data: Mapping[str, Any]) -> None:
        """Raises an `InputError` if the models were trained otherwise, or on other images."""
        made_by = self.made_by()
        here = json.loads(json.dumps(settings))
        before = as_of_today(made_by["settings"])
        there = {key: before.get(key) for key in here}
        if there != here:
            raise InputError(
                f"{self.path} was trained with another configuration "
                f"({difference(there, here)}); choose another --output_dir"
            )
        images = made_by["data"]
        # As JSON has it: tuples are lists there.
        changed = [k for k, v in json.loads(json.dumps(data)).items() if images.get(k) != v]
        if changed:
            raise InputError(
                f"{self.path} was trained on other images of {changed[0]} than there are now; "
                "choose another --output_dir, or bring the data back"
            )

    @property
    def _failure(self) -> Path:
        return self.path / FAILURE[0]

    def save_failure(self, message: str) -> None:
        """Notes why the item has no result.

        Paths in the message begin at the run's folder, which moves when all is done.
        """
        here = f"{self.path}{os.sep}"
        message = message.replace(here, f"{self.path.parent.name}/{self.path.name}/")
        write_text(self._failure, json.dumps({"message": message}) + "\n")

    def failure(self) -> str | None:
        """Returns why the item has no result; `None` if it did not fail."""
        if not os.path.lexists(self._failure):
            return None
        return _read(self._failure, Failure)["message"]

    def forget_failure(self) -> None:
        """Removes the note on a failure, so that the item is done again."""
        for name in FAILURE:
            remove(self.path / name)

    def _records(self, measure: str) -> Path:
        return self.path / f"{measure}.json"

    def has(self, measure: str) -> bool:
        """Says whether a measure was taken."""
        return os.path.lexists(self._records(measure))

    def save_records(self, measure: str, records: list[Record]) -> None:
        """Writes the records of a measure."""
        lines = ",\n  ".join(json.dumps(record) for record in records)
        write_text(self._records(measure), f"[\n  {lines}\n]\n")

    def load_records(self, measure: str) -> list[Record]:
        """Returns the records of a measure."""
        path = self._records(measure)
        try:
            return check_records(read_json(path, _WRITTEN), str(path))
        except InputError as error:
            raise DamagedItem(error) from None


def check_records(value: Any, what: str) -> list[Record]:
    """Returns a value as it is, if it is a list of records.

    Raises:
        InputError: if it is something else.
    """
    if not isinstance(value, list) or not all(isinstance(record, dict) for record in value):
        raise InputError(f"{what} is no list of records")
    try:
        for record in value:
            check_record(record)
    # No float is as large as some whole numbers that JSON has.
    except (ValueError, OverflowError) as error:
        raise InputError(f"{what}: {str(error)[:200]}") from None
    return value


def load_model(path: Path) -> keras.Model:
    """Loads a model that a run wrote, see `load_keras_file`.

    Raises:
        InputError: if it is not there, or cannot be loaded.
    """
    if not path.is_file():
        raise InputError(f"{str(path.parent)!r} has no {path.name}; expected a whole network")
    return load_keras_file(path)


def sha256(path: Path) -> str:
    """Returns the SHA-256 of a plain file, in hexadecimal digits."""
    with open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(path: Path, form: Any) -> dict[str, Any]:
    try:
        return read_form(path, form, _WRITTEN)
    except InputError as error:
        raise DamagedItem(error) from None
