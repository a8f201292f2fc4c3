"""Publication of model files as components."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from keras_compat.errors import InputError
from keras_compat.experiments.components.operations import described
from keras_compat.experiments.components.run_discovery import Model, Parts
from keras_compat.store import Component, Package, Reference, Store, pack
from keras_compat.store.importing import load_keras_file
from keras_compat.store.manifest import AuxiliaryRecord
from keras_compat.store.packing import auxiliary_record

EXTRACTOR, HEAD = "extractor", "head"

Look = Callable[[Component], np.ndarray]
"""Function that reads some training images, as the extractor of a component takes them."""


def publish_files(
    store: Store,
    reference: Reference,
    files: Mapping[str, str],
    architectures: Mapping[str, str],
    component: Component,
    auxiliaries: Sequence[tuple[str, str]] = (),
) -> None:
    """Publishes a user's own `.keras` files as one component.

    Files and architectures are named `"extractor"` and `"head"`. Each auxiliary head of the store
    that the model was trained against is a name with `"shared"` or `"frozen"`.

    Raises:
        InputError: if a file cannot be loaded, is of another architecture, or cannot be published.
    """
    store.check_free(reference)
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


def publish_parts(
    store: Store,
    reference: Reference,
    every: Sequence[Parts],
    licence: str = "unspecified",
    look: Look | None = None,
) -> list[Reference]:
    """Publishes parts that were trained together.

    Args:
        store: Store that receives the parts.
        reference: Name and version of all parts. They are named `NAME-extractor`, or
            `NAME-WHICH-extractor` if there are several, `NAME-head`, `NAME-rotation-head`.
        every: Parts, as `parts_of_network` or `parts_of_run` finds them.
        licence: SPDX expression.
        look: Function that reads training images. Without it the head's manifest lacks the
            statistics that `check` compares with.

    Returns:
        References to the published parts. Faults are found before the first part is published, and
        before images are read. If another publisher takes a name meanwhile, earlier parts stay.

    Raises:
        InputError: if a file cannot be loaded or is of another architecture, two parts would have
            one name, or a part cannot be published.
    """
    packages: dict[Reference, Package] = {}
    files: dict[Path, AuxiliaryRecord] = {}
    users = Counter(file.file for parts in every for file in parts.auxiliaries.values())

    def add(component: Component, *words: str) -> Reference:
        part = "-".join(filter(None, (_word(word) for word in words)))
        name = Reference(f"{reference.name}-{part}", reference.tag)
        if name in packages:
            raise InputError(f"two parts would be {name}; rename the data that named them")
        packages[name] = pack(component, str(name))
        return name

    heads: dict[Reference, tuple[Component, Component]] = {}
    for parts in every:
        shared = Component(licence=licence, data=parts.data)
        records = []
        for task, file in parts.auxiliaries.items():
            if file.file not in files:
                owner = parts.name if users[file.file] < len(every) else ""
                name = add(replace(shared, task=task, **_head(file)), owner, task, HEAD)
                files[file.file] = auxiliary_record(packages[name], "shared")
            records.append(files[file.file].model_copy(update={"mode": parts.mode}))
        trained = replace(shared, auxiliaries=tuple(records))
        extractors = {}
        for which, file in parts.extractors.items():
            model = load_keras_file(file.file)
            extractors[which] = replace(
                trained, extractor=model, extractor_architecture=file.architecture
            )
            add(extractors[which], which, EXTRACTOR)
        head = replace(trained, class_names=parts.class_names, **_head(parts.head))
        heads[add(head, parts.name, HEAD)] = (head, extractors[parts.reference])
    for name, package in packages.items():
        store.check_publishable(name, package)
    if look is not None:
        for name, (head, own) in heads.items():
            packages[name] = pack(described(head, own.extractor, look(own)), str(name))
    for name, package in packages.items():
        store.publish(name, package)
    return list(packages)


def _word(text: str) -> str:
    """Returns a word of a component's name, made of the name of a network, a task or a part."""
    return re.sub("[^a-z0-9]+", "-", text.lower()).strip("-")


def _head(model: Model) -> dict[str, Any]:
    return {"head": load_keras_file(model.file), "head_architecture": model.architecture}
