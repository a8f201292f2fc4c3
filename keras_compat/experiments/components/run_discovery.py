"""Publishable parts in the folder of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_compat.data import parse_classes
from keras_compat.errors import InputError
from keras_compat.experiments.runner.forms import MadeByCell, checked
from keras_compat.experiments.runner.item_folder import MADE_BY, NETWORKS
from keras_compat.files import read_json
from keras_compat.methods import PRETRAINING
from keras_compat.reporting.finished import check_finished, check_finished_above
from keras_compat.reporting.stored_settings import as_of_today
from keras_compat.store.importing import expanded
from keras_compat.store.manifest import DataRecord


@dataclass(frozen=True)
class Model:
    """File of a model, and the model's architecture."""

    file: Path
    architecture: str


@dataclass(frozen=True)
class Parts:
    """Parts that were trained together.

    Attributes:
        extractors: Extractors by name; a single one has the name `""`.
        head: Head of all extractors.
        class_names: Names of the head's outputs.
        auxiliaries: Auxiliary heads that all were trained against, by task.
        reference: Name of the extractor that the head is described with.
        data: Data of the training.
        name: Name of the network among those that were trained together; `""` for a single one.
        mode: `"shared"` if the auxiliary heads learnt with the network, else `"frozen"`.
    """

    extractors: Mapping[str, Model]
    head: Model
    class_names: tuple[str, ...]
    auxiliaries: Mapping[str, Model]
    reference: str
    data: tuple[DataRecord, ...]
    name: str = ""
    mode: str = "shared"


def parts_of_network(folder: str | Path) -> list[Parts]:
    """Returns the parts of a network that a run stored, or of each network of a cell.

    Args:
        folder: Folder with `extractor.keras`, `head.keras`, `<task>_head.keras` and
            `made_by.json`, such as `python -m apps.domain_adaptation` writes under `networks/`; or
            a cell of `python -m apps.compatibility_analysis`, such as `cells/iiw+rp_seed0`.

    Raises:
        InputError: if the folder holds no such network, or is in that of an unfinished run.
    """
    check_finished_above(expanded(folder))
    expected = f"a folder that a job wrote under networks/, or a cell, with {MADE_BY}"
    with _reading(folder, "holds no stored network", expected) as folder:
        if (folder / NETWORKS).is_dir():  # of a cell, or of another work item
            folder = folder / NETWORKS
        about = _json(folder / MADE_BY)
        if "cell" in about:
            return _parts_of_cell(folder, about)
        architecture = _text(about["settings"]["architecture"])
        network = about["network"]

        def model(name: str) -> Model:
            return Model(folder / f"{name}.keras", architecture)

        parts = Parts(
            {"": model("extractor")},
            model("head"),
            _names(network["class_names"]),
            {_text(task): model(f"{task}_head") for task in network["auxiliaries"]},
            "",
            _data(about.get("data", {})),
        )
        return [parts]


def _parts_of_cell(folder: Path, about: dict[str, Any]) -> list[Parts]:
    checked(about, MadeByCell, MADE_BY, "what an analysis wrote")
    cell, architectures = about["cell"], about["settings"]["architectures"]
    if cell["method"] == PRETRAINING:
        raise ValueError("it is of a pre-training, whose networks know no classes")
    found = []
    for number, name in enumerate(about["networks"]):
        architecture = _text(architectures[number % len(architectures)])
        if cell["split"] is not None:
            architecture = f"{architecture.partition('@')[0]}@{_text(cell['split'])}"

        def model(file: str, architecture: str = architecture) -> Model:
            return Model(folder / f"{file}.keras", architecture)

        data = about["data"][name]
        frozen = cell["first"] not in (None, name)
        auxiliaries = about.get("auxiliary_heads", {}).get(name, {})
        parts = Parts(
            {name: model(f"{name}_extractor")},
            model(f"{name}_head"),
            _names(data["class_names"]),
            {task: model(file) for task, file in auxiliaries.items()},
            name,
            _data({name: data}),
            name,
            "frozen" if frozen else "shared",
        )
        found.append(parts)
    return found


def parts_of_run(folder: str | Path) -> list[Parts]:
    """Returns the parts that classifier transfer trained on its first classes.

    Args:
        folder: Folder of a run of `python -m apps.classifier_transfer`, with `config.json`,
            `metrics.json` and `components/`.

    Raises:
        InputError: if the folder holds no such run, or an unfinished one.
    """
    check_finished(expanded(folder))
    expected = "a folder that python -m apps.classifier_transfer wrote"
    with _reading(folder, "holds no run of classifier transfer", expected) as folder:
        config, about = as_of_today(_json(folder / "config.json")), _json(folder / "metrics.json")
        if about["experiment"] != "classifier_transfer":
            raise ValueError(f"it is of {about['experiment']}")
        (dataset,) = about["data"].values()
        every = _names(dataset["class_names"])
        initial = parse_classes(config["initial_classes"], every, config["aliases"])

        def model(name: str, architecture: str) -> Model:
            return Model(folder / "components" / f"{name}.keras", _text(architecture))

        extractors = {
            name: model(f"{name}_extractor", architecture)
            for name, architecture in config["extractors"].items()
        }
        if config["reference"] not in extractors:
            raise ValueError(f"there is no extractor {config['reference']!r}")
        parts = Parts(
            extractors,
            model("head", config["head"]),
            tuple(every[number] for number in initial),
            {name: model(f"{name}_head", config["head"]) for name in config["auxiliaries"]},
            config["reference"],
            _data(about["data"]),
        )
        return [parts]


@contextmanager
def _reading(folder: str | Path, wrong: str, expected: str) -> Iterator[Path]:
    """Turns whatever is wrong with a stranger's folder into an `InputError`."""
    folder = expanded(folder)
    try:
        yield folder
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        why = " ".join(str(error).split())[:200]
        raise InputError(
            f"{str(folder)!r} {wrong} ({type(error).__name__}: {why}); expected {expected}"
        ) from None


def _json(file: Path) -> Any:
    return read_json(file, "what a job wrote")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")
    return value


def _names(values: Any) -> tuple[str, ...]:
    names = tuple(_text(value) for value in values)
    if not names:
        raise ValueError("there are no class names")
    return names


def _data(found: Mapping[str, Any]) -> tuple[DataRecord, ...]:
    """Returns the data of a training, if the run noted them."""
    return tuple(
        DataRecord(
            name=str(data["name"]),
            images=data["train"]["count"],
            sha256=data["train"].get("sha256"),
        )
        for data in found.values()
        if "train" in data
    )
