"""From the files of a run to components."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from keras_compat.data import parse_classes
from keras_compat.errors import InputError
from keras_compat.jobs.step_folder import MADE_BY
from keras_compat.store import Component, Package, Reference, Store, pack
from keras_compat.store.importing import expanded, load_keras_file
from keras_compat.store.manifest import AuxiliaryRecord, DataRecord
from keras_compat.store.packing import auxiliary_record

EXTRACTOR, HEAD = "extractor", "head"


def publish_files(
    store: Store,
    reference: Reference,
    files: Mapping[str, str],
    architectures: Mapping[str, str],
    component: Component,
    auxiliaries: Sequence[tuple[str, str]] = (),
) -> None:
    """Publishes a user's own `.keras` files as one component.

    Args:
        store: where to.
        reference: a name and a version that is free.
        files: of `"extractor"`, of `"head"`, or of both.
        architectures: by which they were built, by the same words.
        component: all that is to be said of it; it has no models yet.
        auxiliaries: the auxiliary heads that it was trained against, in the store: each a name
            and `"shared"` or `"frozen"`.

    Raises:
        InputError: if a file cannot be loaded or is of another architecture; as `Store.publish`.
    """
    models = {part: load_keras_file(file) for part, file in files.items()}
    records = [auxiliary_record(store.package(Reference.parse(n)), mode) for n, mode in auxiliaries]
    whole = replace(
        component,
        extractor=models.get(EXTRACTOR),
        head=models.get(HEAD),
        extractor_architecture=architectures.get(EXTRACTOR, ""),
        head_architecture=architectures.get(HEAD, ""),
        auxiliaries=records,
    )
    store.publish(reference, pack(whole, str(reference)))


def publish_network(
    store: Store, reference: Reference, folder: str | Path, licence: str = "unspecified"
) -> list[Reference]:
    """Publishes a network that a job stored: its extractor, its head and its auxiliary heads.

    Args:
        store: where to.
        reference: the parts are named after it: `NAME-extractor`, `NAME-head`,
            `NAME-rotation-head`, all of its version.
        folder: with `extractor.keras`, `head.keras`, `<task>_head.keras` and `made_by.json`, such
            as `python -m apps.domain_adaptation` writes under `networks/`.
        licence: an SPDX expression.

    Returns:
        What was published. What can be wrong is found before the first part is; should another
        publisher take a name meanwhile, the parts before it stay.

    Raises:
        InputError: if the folder holds no such network; as `Store.publish`.
    """
    folder = expanded(folder)
    about = _about(folder)
    architecture = about["settings"]["architecture"]
    shared = Component(licence=licence, data=about["data"])
    packages: dict[Reference, Package] = {}

    def add(part: str, component: Component) -> Package:
        name = Reference(f"{reference.name}-{part}", reference.tag)
        packages[name] = pack(component, str(name))
        return packages[name]

    records: list[AuxiliaryRecord] = []
    for task in about["network"]["auxiliaries"]:
        head = load_keras_file(Path(folder) / f"{task}_head.keras")
        component = replace(shared, head=head, head_architecture=architecture, task=task)
        package = add(f"{task.replace('_', '-')}-head", component)
        records.append(auxiliary_record(package, "shared"))
    trained = replace(shared, auxiliaries=tuple(records))
    extractor = load_keras_file(Path(folder) / "extractor.keras")
    head = load_keras_file(Path(folder) / "head.keras")
    add(EXTRACTOR, replace(trained, extractor=extractor, extractor_architecture=architecture))
    names = tuple(about["network"]["class_names"])
    add(HEAD, replace(trained, head=head, head_architecture=architecture, class_names=names))
    _publish_all(store, packages)
    return list(packages)


def publish_run(
    store: Store, reference: Reference, folder: str | Path, licence: str = "unspecified"
) -> list[Reference]:
    """Publishes what a run of `python -m apps.classifier_transfer` trained on its first classes.

    Args:
        store: where to.
        reference: the parts are named after it: `NAME-EXTRACTOR-extractor` each, `NAME-head`,
            `NAME-rotation-head`, all of its version.
        folder: the run's, with `config.json`, `metrics.json` and `components/`.
        licence: an SPDX expression.

    Returns:
        What was published, as for `publish_network`.

    Raises:
        InputError: if the folder holds no such run; as `Store.publish`.
    """
    folder = expanded(folder)
    config, names, found = _run(folder)
    shared = Component(licence=licence, data=found)
    files = folder / "components"
    packages: dict[Reference, Package] = {}

    def add(part: str, component: Component) -> Package:
        name = Reference(f"{reference.name}-{part.replace('_', '-')}", reference.tag)
        packages[name] = pack(component, str(name))
        return packages[name]

    records: list[AuxiliaryRecord] = []
    if config["rotation"]:
        head = load_keras_file(files / "rotation_head.keras")
        of_rotation = replace(shared, head=head, head_architecture=config["head"], task="rotation")
        records.append(auxiliary_record(add("rotation-head", of_rotation), "shared"))
    trained = replace(shared, auxiliaries=tuple(records))
    for name, architecture in config["extractors"].items():
        extractor = load_keras_file(files / f"{name}_extractor.keras")
        made = {"extractor": extractor, "extractor_architecture": architecture}
        add(f"{name}-{EXTRACTOR}", replace(trained, **made))
    head = load_keras_file(files / "head.keras")
    add(HEAD, replace(trained, head=head, head_architecture=config["head"], class_names=names))
    _publish_all(store, packages)
    return list(packages)


def _publish_all(store: Store, packages: Mapping[Reference, Package]) -> None:
    for name in packages:
        if name.tag in store.versions(name.name):
            raise InputError(f"{store.url} has {name} already; take the next version")
    for name, package in packages.items():
        store.publish(name, package)


def _run(folder: Path) -> tuple[dict[str, Any], tuple[str, ...], tuple[DataRecord, ...]]:
    """The settings of a run of classifier transfer, its first classes, and what it read."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        about = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        if about["experiment"] != "classifier_transfer":
            raise ValueError(f"it is of {about['experiment']}")
        (dataset,) = about["data"].values()
        every = dataset["class_names"]
        initial = parse_classes(config["initial_classes"], every, config["aliases"])
        return config, tuple(every[number] for number in initial), _data(about["data"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        why = " ".join(str(error).split())[:200]
        raise InputError(
            f"{str(folder)!r} holds no run of classifier transfer ({type(error).__name__}: {why}); "
            "expected a folder that python -m apps.classifier_transfer wrote"
        ) from None


def _about(folder: Path) -> dict[str, Any]:
    try:
        about = json.loads((folder / MADE_BY).read_text(encoding="utf-8"))
        names, tasks = about["network"]["class_names"], about["network"]["auxiliaries"]
        if not isinstance(about["settings"]["architecture"], str) or not names:
            raise ValueError("no architecture and no class names")
        about["network"]["auxiliaries"] = [str(task) for task in tasks]
        about["data"] = _data(about.get("data", {}))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        why = " ".join(str(error).split())[:200]
        raise InputError(
            f"{str(folder)!r} holds no stored network ({type(error).__name__}: {why}); expected "
            f"a folder that a job wrote under networks/, with {MADE_BY}"
        ) from None
    return about


def _data(found: Mapping[str, Any]) -> tuple[DataRecord, ...]:
    """What the network was trained on, if the job has written that down."""
    return tuple(
        DataRecord(
            name=str(data["name"]),
            images=data["train"]["count"],
            sha256=data["train"].get("sha256"),
        )
        for data in found.values()
        if "train" in data
    )
