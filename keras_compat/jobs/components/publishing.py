"""From files of models to components."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from keras_compat.jobs.components.describing import described
from keras_compat.jobs.components.finding import Model, Parts
from keras_compat.store import Component, Package, Reference, Store, pack
from keras_compat.store.importing import load_keras_file
from keras_compat.store.packing import auxiliary_record

EXTRACTOR, HEAD = "extractor", "head"

Look = Callable[[Component], np.ndarray]
"""Some training images, as the extractor of a component takes them."""


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


def publish_parts(
    store: Store,
    reference: Reference,
    parts: Parts,
    licence: str = "unspecified",
    look: Look | None = None,
) -> list[Reference]:
    """Publishes what was trained together, as one family.

    Args:
        store: where to.
        reference: the parts are named after it: `NAME-extractor`, or `NAME-WHICH-extractor` where
            there are several, `NAME-head`, `NAME-rotation-head`; all of its version.
        parts: as `parts_of_network` or `parts_of_run` finds them.
        licence: an SPDX expression.
        look: reads training images; without it the head's manifest does not say what `check`
            compares with.

    Returns:
        What was published. What can be wrong is found before the first part is; should another
        publisher take a name meanwhile, the parts before it stay.

    Raises:
        InputError: if a file cannot be loaded or is of another architecture; as `Store.publish`.
    """
    packages: dict[Reference, Package] = {}

    def add(part: str, component: Component) -> Package:
        name = Reference(f"{reference.name}-{part.replace('_', '-')}", reference.tag)
        packages[name] = pack(component, str(name))
        return packages[name]

    shared = Component(licence=licence, data=parts.data)
    records = []
    for task, file in parts.auxiliaries.items():
        component = replace(shared, task=task, **_head(file))
        records.append(auxiliary_record(add(f"{task}-{HEAD}", component), "shared"))
    trained = replace(shared, auxiliaries=tuple(records))
    extractors = {}
    for name, file in parts.extractors.items():
        model = load_keras_file(file.file)
        extractors[name] = replace(
            trained, extractor=model, extractor_architecture=file.architecture
        )
        add(f"{name}-{EXTRACTOR}" if name else EXTRACTOR, extractors[name])
    head = replace(trained, class_names=parts.class_names, **_head(parts.head))
    if look is not None:
        own = extractors[parts.reference]
        head = described(head, own.extractor, look(own))
    add(HEAD, head)
    for name in packages:
        store.check_free(name)
    for name, package in packages.items():
        store.publish(name, package)
    return list(packages)


def _head(model: Model) -> dict[str, Any]:
    return {"head": load_keras_file(model.file), "head_architecture": model.architecture}
