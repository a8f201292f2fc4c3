"""A step of a job on disk: the models that it left, its records, and what made them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from keras_compat.earlier import as_of_today
from keras_compat.errors import InputError
from keras_compat.files import write_text, written_atomically
from keras_compat.jobs.output_folder import difference
from keras_compat.reporting.hardware import collect_hardware
from keras_compat.reporting.records import Record
from keras_compat.reporting.versions import collect_versions
from keras_compat.store.importing import load_keras_file

FAILURE = ("failed.json", "last_good.keras")
"""The files of a step that say why it has no result."""
NETWORKS = "networks"
CHECKPOINTS = "checkpoints"
MADE_BY = "made_by.json"


class StepFolder:
    """Keeps a step's models once they are trained, and each measure's records.

    Each file and folder appears whole or not at all, so a killed run leaves what was finished.

    Args:
        path: the step's own folder; it is made when there is something to keep.
    """

    def __init__(self, path: Path):
        self.path = path

    @property
    def last_good(self) -> Path:
        """Where the weights before a loss that was not finite go."""
        return self.path / FAILURE[1]

    @property
    def checkpoints(self) -> Path:
        """Where what an unfinished training needs to go on is."""
        return self.path / CHECKPOINTS

    def save_models(
        self,
        models: Mapping[str, keras.Model],
        duration_s: float,
        settings: Mapping[str, Any],
        data: Mapping[str, Any],
        **about: Any,
    ) -> None:
        """Writes what training left, with what made it.

        Args:
            models: by the name of their file.
            duration_s: of their training.
            settings: that the weights depend on.
            data: the fingerprints of all images that they learnt from, by name.
            **about: what else there is to say of the step; it comes first.
        """
        with written_atomically(self.path / NETWORKS) as folder:
            folder.mkdir()
            for name, model in models.items():
                model.save(folder / f"{name}.keras")
            made_by = {
                **about,
                "duration_s": round(duration_s, 3),
                "settings": settings,
                "data": data,
                "versions": collect_versions(),
                "hardware": collect_hardware(),
            }
            write_text(folder / MADE_BY, json.dumps(made_by, indent=2) + "\n")

    def load_model(self, name: str) -> keras.Model:
        """Returns a trained model, for inference."""
        return load_keras_file(self.path / NETWORKS / f"{name}.keras")

    def made_by(self) -> dict[str, Any] | None:
        """Returns what made the models; `None` if they were not trained yet."""
        path = self.path / NETWORKS / MADE_BY
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

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
        """Notes why the step has no result.

        Paths in it begin at the folder of the run, which moves when all is done.
        """
        here = f"{self.path}{os.sep}"
        message = message.replace(here, f"{self.path.parent.name}/{self.path.name}/")
        write_text(self._failure, json.dumps({"message": message}) + "\n")

    def failure(self) -> str | None:
        """Returns why the step has no result; `None` if it did not fail."""
        if not self._failure.is_file():
            return None
        return json.loads(self._failure.read_text(encoding="utf-8"))["message"]

    def forget_failure(self) -> None:
        """Lets the step be done again."""
        for name in FAILURE:
            (self.path / name).unlink(missing_ok=True)

    def _records(self, measure: str) -> Path:
        return self.path / f"{measure}.json"

    def has(self, measure: str) -> bool:
        """Says whether a measure was taken."""
        return self._records(measure).is_file()

    def save_records(self, measure: str, records: list[Record]) -> None:
        """Writes what a measure found."""
        lines = ",\n  ".join(json.dumps(record) for record in records)
        write_text(self._records(measure), f"[\n  {lines}\n]\n")

    def load_records(self, measure: str) -> list[Record]:
        """Returns what a measure found."""
        return json.loads(self._records(measure).read_text(encoding="utf-8"))
