"""Conversion of models to packages, and of packages, also from strangers, to models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import keras
import numpy as np

from keras_compat.errors import InputError
from keras_compat.evaluation import ChannelStatistics
from keras_compat.layers import set_statistics
from keras_compat.networks import check_interface, feature_interface
from keras_compat.store import recipes, weights
from keras_compat.store.card import write_card
from keras_compat.store.errors import BadManifestError
from keras_compat.store.library import Store
from keras_compat.store.manifest import (
    CARD,
    WEIGHTS,
    AuxiliaryRecord,
    DataRecord,
    FileRecord,
    Manifest,
    ParentRecord,
)
from keras_compat.store.memory import check_memory, memory_for
from keras_compat.store.names import Reference
from keras_compat.store.package import Package, file_record, sha256
from keras_compat.versions import collect_versions

_MEAN, _VARIANCE = "feature_statistics/mean", "feature_statistics/variance"
_SEQUENCES = ("class_names", "auxiliaries", "parents", "data")
"""Fields of sequences that components and manifests share."""


@dataclass(frozen=True)
class Component:
    """A component to be published, or one that was read; `Manifest` describes more of the fields.

    Args:
        extractor: Model of images, of an extractor and of a network.
        head: Model of features, of a head, an auxiliary head and a network.
        extractor_architecture: Architecture of the extractor, such as `"resnet8@stage2"`.
        auxiliaries: Auxiliary heads that it was trained against, see `auxiliary_record`.
        feature_statistics: Statistics of the features that the head was trained on.

    Example:

    >>> from keras_compat import networks
    >>> head = networks.build_head("resnet8", classes=2, seed=0)
    >>> Component(head=head, head_architecture="resnet8", class_names=("cat", "dog")).kind
    'head'
    """

    extractor: keras.Model | None = None
    head: keras.Model | None = None
    extractor_architecture: str = ""
    head_architecture: str = ""
    class_names: tuple[str, ...] = ()
    task: str | None = None
    auxiliaries: Sequence[AuxiliaryRecord] = ()
    parents: Sequence[ParentRecord] = ()
    feature_statistics: ChannelStatistics | None = None
    data: Sequence[DataRecord] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    licence: str = "unspecified"

    @property
    def kind(self) -> str:
        """Kind: `"extractor"`, `"head"`, `"auxiliary_head"` or `"network"`."""
        if self.extractor is not None:
            return "extractor" if self.head is None else "network"
        return "head" if self.task is None else "auxiliary_head"

    @property
    def models(self) -> list[keras.Model]:
        """The extractor, the head, or both."""
        return [model for model in (self.extractor, self.head) if model is not None]


def pack(component: Component, what: str = "component") -> Package:
    """Converts a component to bytes.

    Args:
        component: Component with models of the registry's architectures.

    Raises:
        InputError: If there is no model, a model is not of its architecture, parts of a network do
            not fit, or a text is too long.
        BadWeightsError: If a weight is not finite or a variance is negative.

    Example:

    >>> from keras_compat import networks
    >>> head = networks.build_head("resnet8", classes=2, seed=0)
    >>> package = pack(Component(head=head, head_architecture="resnet8", class_names=("a", "b")))
    >>> package.manifest.kind, package.manifest.interface
    ('head', (None, None, 64))
    >>> unpack(package, "head@1").class_names
    ('a', 'b')
    >>> check(package, "head@1")
    """
    if not component.models:
        raise InputError("a component without a model; expected an extractor, a head, or both")
    arrays = {
        name: _array(variable)
        for name, variable in _variables(component.extractor, component.head).items()
    }
    extractor = head = None
    if component.extractor is not None:
        extractor = recipes.describe_extractor(
            component.extractor, component.extractor_architecture
        )
        interface = feature_interface(component.extractor)
    if component.head is not None:
        head = recipes.describe_head(component.head, component.head_architecture)
        if component.extractor is None:
            interface = tuple(component.head.input_shape[1:])
        else:
            check_interface(component.extractor, component.head)
    if component.feature_statistics is not None:
        arrays[_MEAN] = np.asarray(component.feature_statistics.mean, "float32")
        arrays[_VARIANCE] = np.asarray(component.feature_statistics.variance, "float32")
    with memory_for(what):
        content = weights.write_weights(arrays, what)
    try:
        manifest = Manifest(
            kind=component.kind,
            extractor=extractor,
            head=head,
            interface=interface,
            statistics=recipes.statistics_of(*component.models),
            **{name: tuple(getattr(component, name)) for name in _SEQUENCES},
            task=component.task,
            feature_statistics=component.feature_statistics is not None,
            metrics=dict(component.metrics),
            licence=component.licence,
            versions={name: str(value) for name, value in collect_versions().items()},
            created=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            files={WEIGHTS: file_record(content), CARD: FileRecord(size=0, sha256=sha256(b""))},
        )
    except ValueError as error:
        first = str(error).splitlines()
        raise InputError(f"{what} cannot be published: {' '.join(first[1:3]).strip()}") from None
    card = write_card(manifest, what).encode()
    files = {**manifest.files, CARD: file_record(card)}
    expected = expected_weights(manifest)
    if {name: array.shape for name, array in arrays.items()} != expected:
        odd = sorted(set(expected.items()) ^ {(n, a.shape) for n, a in arrays.items()})[0]
        raise InputError(f"{what} cannot be published: {odd[0]!r} has the wrong shape")
    return Package(manifest.model_copy(update={"files": files}), {WEIGHTS: content, CARD: card})


def unpack(package: Package, what: str) -> Component:
    """Converts bytes to a component without running any code from them.

    Raises:
        UnknownArchitectureError: If this package cannot build the architecture.
        BadWeightsError: If the weights do not fit the architecture.
        BadManifestError: If the manifest contradicts the models.
    """
    with memory_for(what):
        return _component(package.manifest, _arrays(package, what), what)


def check(package: Package, what: str) -> None:
    """Raises the error that `unpack` would raise, without building a model."""
    with memory_for(what):
        _arrays(package, what)


def load(store: Store, reference: Reference) -> Component:
    """Reads a component from a store, also one by strangers.

    Checks the size of the weights against the architecture before reading them.

    Raises:
        StoreError: If there is no such component, or it is faulty.

    Example:

    >>> load(Store("memory://empty"), Reference.parse("phone@1"))
    Traceback (most recent call last):
        ...
    keras_compat.store.errors.NotPublishedError: memory://empty has no phone@1; the store is empty
    """
    reference = store.resolve(reference)
    with memory_for(str(reference)):
        package = store.package(reference, before=check_sizes)
        manifest, arrays = package.manifest, _arrays(package, str(reference))
        del package  # frees its bytes before the models take as many
        return _component(manifest, arrays, str(reference))


def check_sizes(manifest: Manifest, what: str) -> None:
    """Raises an error if a manifest's weights do not fit its architecture or the free memory.

    Raises:
        BadWeightsError: If the size is not that of the architecture.
        UnknownArchitectureError: If this package cannot build the architecture.
        TooLargeError: If there is too little memory.
    """
    size = manifest.files[WEIGHTS].size
    weights.check_size(size, expected_weights(manifest), what)
    # The file's bytes, and as many in arrays or models.
    check_memory(2 * size, what)


def expected_weights(manifest: Manifest) -> weights.Shapes:
    """Returns the names and shapes of a component's weights without allocating them.

    Raises:
        UnknownArchitectureError: If this package cannot build the architecture.
    """
    found: weights.Shapes = {}
    for part, record in (("extractor", manifest.extractor), ("head", manifest.head)):
        if record is not None:
            prefix = f"{part}/" if manifest.kind == "network" else ""
            shapes = recipes.outline(record).shapes
            found.update({f"{prefix}{name}": shape for name, shape in shapes.items()})
    if manifest.feature_statistics:
        channels = manifest.interface[-1]
        found.update({_MEAN: (channels,), _VARIANCE: (channels,)})
    return found


def auxiliary_record(package: Package, mode: str) -> AuxiliaryRecord:
    """Returns the record of an auxiliary head for components that were trained against it.

    Args:
        package: Package of the auxiliary head after that training.
        mode: `"shared"` if it was trained with the components, or `"frozen"`.

    Raises:
        InputError: If the package is of another kind.
    """
    if package.manifest.task is None:
        raise InputError(f"a component of kind {package.manifest.kind}; expected an auxiliary head")
    if mode not in ("shared", "frozen"):
        raise InputError(f"mode is {mode!r}; expected shared or frozen")
    digest = package.manifest.files[WEIGHTS].sha256
    return AuxiliaryRecord(task=package.manifest.task, mode=mode, sha256=digest)


def _variables(extractor: keras.Model | None, head: keras.Model | None) -> dict[str, Any]:
    """Returns the weights of a component by their names in the file."""
    parts = {"extractor": extractor, "head": head}
    return {
        f"{part}/{name}" if extractor is not None and head is not None else name: variable
        for part, model in parts.items()
        if model is not None
        for name, variable in recipes.variables(model).items()
    }


def _taken(
    arrays: dict[str, np.ndarray], key: str, shape: Sequence[int], dtype: str | None = None
) -> Any:
    """Returns an array as an initializer's value and drops the only other reference to it."""
    return keras.ops.convert_to_tensor(arrays.pop(key), dtype)


def _array(variable: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(variable), "float32")


def _arrays(package: Package, what: str) -> dict[str, np.ndarray]:
    """Returns the weights in a package after all checks."""
    manifest = package.manifest
    arrays = weights.read_weights(package.files[WEIGHTS], expected_weights(manifest), what)
    _check_interface(manifest, what)
    return arrays


def _component(manifest: Manifest, arrays: dict[str, np.ndarray], what: str) -> Component:
    """Returns the component of a manifest and weights; empties `arrays`."""
    extractor = head = None
    # At the scope's end each variable gets its array; none draws random values.
    with keras.StatelessScope():
        if manifest.extractor is not None:
            extractor = recipes.build(manifest.extractor, _name(what, "extractor"))
        if manifest.head is not None:
            head = recipes.build(manifest.head, _name(what, "head"))
        for key, variable in _variables(extractor, head).items():
            variable._initializer = partial(_taken, arrays, key)
    component = Component(
        extractor=extractor,
        head=head,
        extractor_architecture=str(manifest.extractor.architecture) if manifest.extractor else "",
        head_architecture=str(manifest.head.architecture) if manifest.head else "",
        feature_statistics=(
            ChannelStatistics(arrays[_MEAN], arrays[_VARIANCE])
            if manifest.feature_statistics
            else None
        ),
        **{name: getattr(manifest, name) for name in (*_SEQUENCES, "task", "metrics", "licence")},
    )
    for model in component.models:
        set_statistics(model, manifest.statistics)
    return component


def _name(what: str, part: str) -> str:
    return f"{what.replace('@', '_')}_{part}"


def _check_interface(manifest: Manifest, what: str) -> None:
    """Raises an error if a manifest contradicts the models that it describes."""
    records = {"extractor": manifest.extractor, "head": manifest.head}
    outlines = {
        part: recipes.outline(record, _name(what, part))
        for part, record in records.items()
        if record is not None
    }
    if "extractor" in outlines:
        found = feature_interface(outlines["extractor"])
    else:
        found = tuple(outlines["head"].inputs[0].shape[1:])
    if found != manifest.interface:
        raise BadManifestError(
            f"manifest of {what} says that the feature interface is {manifest.interface}; "
            f"its architecture has {found}"
        )
    if manifest.kind == "network":
        try:
            check_interface(outlines["extractor"], outlines["head"])
        except InputError as error:
            raise BadManifestError(f"manifest of {what}: {error}") from None
