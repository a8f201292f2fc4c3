"""Recombination of an extractor and a head of the store."""

from __future__ import annotations

from dataclasses import dataclass

from keras_compat.errors import InputError
from keras_compat.layers import set_statistics
from keras_compat.networks import check_interface
from keras_compat.store.errors import IncompatibleError, StoreError
from keras_compat.store.library import Store
from keras_compat.store.manifest import Manifest, ParentRecord
from keras_compat.store.names import Reference
from keras_compat.store.package import sha256
from keras_compat.store.packing import Component, load

_UNSPECIFIED = "unspecified"


@dataclass(frozen=True)
class Pair:
    """Two components as one network.

    Attributes:
        network: Network to be published. It normalizes by batch statistics, because the moving
            statistics of one part do not fit the other.
        family: SHA-256 of the auxiliary heads that both were trained against. An empty set is no
            evidence that they work together.
    """

    network: Component
    family: frozenset[str]


def recombine(store: Store, extractor: Reference, head: Reference) -> Pair:
    """Combines an extractor and a head of the store to a network.

    Args:
        extractor: Reference of an extractor, or of a network whose extractor is taken.
        head: Reference of a head, or of a network whose head is taken.

    Raises:
        IncompatibleError: If one is of another kind, or their feature interfaces differ.
        StoreError: If one does not exist or is faulty.
    """
    parts = {"extractor": store.resolve(extractor), "head": store.resolve(head)}
    manifests = {part: store.manifest(reference) for part, reference in parts.items()}
    for part, manifest in manifests.items():
        if manifest.kind not in (part, "network"):
            raise IncompatibleError(
                f"{parts[part]} is of kind {manifest.kind}; expected one with {part}"
            )
    components = {part: load(store, reference) for part, reference in parts.items()}
    left, right = components["extractor"], components["head"]
    try:
        check_interface(left.extractor, right.head)
    except InputError as error:
        shown = " and ".join(
            f"{parts[part]} has the feature interface {_shape(manifest.interface)}"
            for part, manifest in manifests.items()
        )
        raise IncompatibleError(f"{shown}; {error}") from None
    for model in (left.extractor, right.head):
        set_statistics(model, "batch")
    origins = [origin(store, part, reference) for part, reference in parts.items()]
    family = origins[0].families & origins[1].families
    known = (*origins[0].auxiliaries, *origins[1].auxiliaries)
    network = Component(
        extractor=left.extractor,
        head=right.head,
        extractor_architecture=left.extractor_architecture,
        head_architecture=right.head_architecture,
        class_names=right.class_names,
        auxiliaries=tuple({a.sha256: a for a in known if a.sha256 in family}.values()),
        parents=[parent_record(store, reference) for reference in parts.values()],
        feature_statistics=right.feature_statistics,
        data=tuple(dict.fromkeys((*left.data, *right.data))),
        licence=joint_licence(left.licence, right.licence),
    )
    return Pair(network, family)


def origin(store: Store, part: str, reference: Reference) -> Manifest:
    """Returns the manifest of a network's part, if that is still in the store; else its own.

    A network lists only the families of both of its parts.

    Args:
        part: `"extractor"` or `"head"`.
        reference: Reference of a network; for another component its own manifest is returned.
    """
    manifest = store.manifest(reference)
    for parent in manifest.parents if manifest.kind == "network" else ():
        earlier = Reference(parent.name, parent.version)
        try:
            same = sha256(store.manifest_bytes(earlier)) == parent.sha256
            if same and parent.kind in (part, "network"):
                return origin(store, part, earlier)
        except StoreError:
            continue
    return manifest


def parent_record(store: Store, reference: Reference) -> ParentRecord:
    """Returns the record of a component, for components that are made from it."""
    reference = store.resolve(reference)
    content = store.manifest_bytes(reference)
    return ParentRecord(
        name=reference.name,
        version=reference.tag,
        kind=store.manifest(reference).kind,
        sha256=sha256(content),
    )


def joint_licence(one: str, other: str) -> str:
    """Returns the SPDX expression for a component that is made from two others.

    Example:

    >>> joint_licence("MIT", "MIT"), joint_licence("MIT", "Apache-2.0")
    ('MIT', '(MIT) AND (Apache-2.0)')
    >>> joint_licence("MIT", "unspecified")
    'unspecified'
    """
    if one == other:
        return one
    return _UNSPECIFIED if _UNSPECIFIED in (one, other) else f"({one}) AND ({other})"


def _shape(interface: tuple[int | None, ...]) -> str:
    return " x ".join("any" if size is None else str(size) for size in interface)
