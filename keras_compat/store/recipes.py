"""Records of the arguments that build a model: read off a model, and built again.

A stranger's component is built here, by this package's own code, from names in the registry; no
code of the component is run.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import keras
from pydantic import ValidationError

from keras_compat.errors import InputError
from keras_compat.layers import normalization_layers
from keras_compat.networks import (
    ARCHITECTURES,
    FEATURES,
    NORMALIZATIONS,
    build_extractor,
    build_head,
)
from keras_compat.networks.architectures import find_architecture, parse_architecture
from keras_compat.store.errors import UnknownArchitectureError
from keras_compat.store.manifest import ArchitectureRecord, ExtractorRecord, HeadRecord
from keras_compat.store.weights import Shapes

# Far above all useful architectures. Without limits a depth of 10^9 would fill the memory, and a
# depth of thousands would fill Python's stack.
_LARGEST_ARGUMENT = 4096
_MOST_BLOCKS = 128
_LONGEST_MESSAGE = 300

T = TypeVar("T")
Record = TypeVar("Record", ExtractorRecord, HeadRecord)


def describe_extractor(extractor: keras.Model, architecture: str) -> ExtractorRecord:
    """Returns the record that builds an extractor.

    Args:
        extractor: Extractor from `keras_compat.networks.build_extractor`.
        architecture: Architecture of the extractor; its default split may be left out.

    Raises:
        InputError: If the architecture is unknown, or does not build this extractor.

    Example:

    >>> from keras_compat import networks
    >>> extractor = networks.build_extractor("resnet8", (16, 16, 1), "stem", None, seed=0)
    >>> record = describe_extractor(extractor, "resnet8@stem")
    >>> str(record.architecture), record.image_shape, record.interface_channels
    ('resnet8:depth=8,filters=16@stem', (16, 16, 1), None)
    """
    names = {layer.name for layer in extractor.layers}
    features = [name for name in FEATURES if name in names] or ["plain"]
    values = {
        "architecture": record_architecture(architecture),
        "image_shape": _shape(extractor, extractor.input_shape),
        "interface_channels": (
            extractor.get_layer("interface").filters if "interface" in names else None
        ),
        "features": features[0],
    }
    return _matching_record(extractor, architecture, ExtractorRecord, values)


def describe_head(head: keras.Model, architecture: str) -> HeadRecord:
    """Returns the record that builds a head or an auxiliary head.

    Args:
        head: Head from `keras_compat.networks.build_head`.

    Raises:
        InputError: If the architecture is unknown, or does not build this head.

    Example:

    >>> from keras_compat import networks
    >>> record = describe_head(networks.build_head("resnet8", classes=3, seed=0), "resnet8")
    >>> record.outputs, record.input_channels
    (3, 64)
    """
    names = {layer.name for layer in head.layers}
    values = {
        "architecture": record_architecture(architecture),
        "input_channels": _shape(head, head.input_shape)[-1],
        "outputs": _shape(head, head.output_shape)[-1],
        "dense": "pooling" not in names,
    }
    return _matching_record(head, architecture, HeadRecord, values)


def record_architecture(text: str) -> ArchitectureRecord:
    """Returns an architecture with all defaults written out, because defaults may change.

    Example:

    >>> str(record_architecture("resnet8"))
    'resnet8:depth=8,filters=16@stage2_block1'
    """
    name, given, split = parse_architecture(text)
    parameters = inspect.signature(ARCHITECTURES[name]).parameters
    arguments = {key: given.get(key, p.default) for key, p in parameters.items()}
    plan, _ = find_architecture(text)
    return ArchitectureRecord(name=name, arguments=arguments, split=plan.split_block(split))


def build(record: ExtractorRecord | HeadRecord, name: str) -> keras.Model:
    """Builds the model of a record, with weights to be replaced.

    Raises:
        UnknownArchitectureError: If the registry lacks the architecture, or it is too large.

    Example:

    >>> from keras_compat import networks
    >>> head = networks.build_head("resnet8", classes=3, seed=0)
    >>> build(describe_head(head, "resnet8"), "head").count_params() == head.count_params()
    True
    """
    try:
        _check_extent(record)
        return _build(record, name)
    except UnknownArchitectureError:
        raise
    except InputError as error:
        raise UnknownArchitectureError(str(error)[:_LONGEST_MESSAGE]) from None
    except RecursionError:
        raise UnknownArchitectureError(
            f"{str(record.architecture)[:_LONGEST_MESSAGE]} is too deep to be built"
        ) from None


def _check_extent(record: ExtractorRecord | HeadRecord) -> None:
    architecture = record.architecture
    for key, value in architecture.arguments.items():
        if abs(value) > _LARGEST_ARGUMENT:
            raise UnknownArchitectureError(
                f"{architecture.name}:{key} is out of range; expected {_LARGEST_ARGUMENT} at most"
            )
    plan, _ = find_architecture(str(architecture).partition("@")[0])
    if len(plan.blocks) > _MOST_BLOCKS:
        raise UnknownArchitectureError(
            f"{str(architecture)[:100]} has {len(plan.blocks)} blocks; expected {_MOST_BLOCKS} at "
            "most"
        )


def _build(record: ExtractorRecord | HeadRecord, name: str) -> keras.Model:
    if isinstance(record, ExtractorRecord):
        return build_extractor(
            str(record.architecture),
            record.image_shape,
            interface_channels=record.interface_channels,
            seed=0,
            name=name,
            normalization=record.normalization,
            features=record.features,
        )
    return build_head(
        str(record.architecture),
        input_channels=record.input_channels,
        classes=record.outputs,
        seed=0,
        name=name,
        normalization=record.normalization,
        dense=record.dense,
    )


@dataclass(frozen=True)
class Outline:
    """Name, shapes and ends of a model, known without allocating it; works in `check_interface`.

    Attributes:
        shapes: Shapes of its weights, by `layer/weight`.
        inputs: Symbolic input, as models have it.
    """

    name: str
    shapes: Shapes
    inputs: tuple[keras.KerasTensor, ...]
    outputs: tuple[keras.KerasTensor, ...]


def outline(record: ExtractorRecord | HeadRecord, name: str = "part") -> Outline:
    """Returns the outline of a record's model without allocating weights.

    Raises:
        UnknownArchitectureError: As of `build`.

    Example:

    >>> from keras_compat import networks
    >>> head = networks.build_head("resnet8", classes=3, seed=0)
    >>> found = outline(describe_head(head, "resnet8"))
    >>> found.outputs[0].shape, found.shapes["logits/kernel"]
    ((None, 3), (64, 3))
    """
    return replace(_outline(type(record), record.model_dump_json()), name=name)


# Cached: a store holds many components of few architectures; tracing one takes 0.1 s.
@functools.lru_cache(maxsize=1024)
def _outline(kind: type[Record], text: str) -> Outline:
    record = kind.model_validate_json(text)

    def found() -> Outline:
        model = build(record, "part")
        shapes = {key: tuple(v.shape) for key, v in variables(model).items()}
        # New tensors, because the model's own tensors would keep the model in memory.
        ends = (keras.KerasTensor(shape) for shape in (model.input_shape, model.output_shape))
        return Outline("part", shapes, *((end,) for end in ends))

    return unallocated(found)


def variables(model: keras.Model) -> dict[str, Any]:
    """Returns the weights of a model by `layer/weight`, moving statistics included.

    Example:

    >>> from keras_compat import networks
    >>> sorted(variables(networks.build_head("resnet8", classes=3, seed=0)))[:2]
    ['logits/bias', 'logits/kernel']
    """
    return {
        f"{layer.name}/{variable.name}": variable
        for layer in model.layers
        for variable in layer.weights
    }


def statistics_of(*models: keras.Model) -> str:
    """Returns the statistics, `"batch"` or `"moving"`, that all batch normalization of models uses.

    Without batch normalization it is `"moving"`: images do not influence each other.

    Raises:
        InputError: If layers differ.

    Example:

    >>> from keras_compat import networks
    >>> statistics_of(networks.build_head("resnet8", classes=3, seed=0))
    'batch'
    """
    found = {layer.statistics for model in models for layer in normalization_layers(model)}
    if len(found) > 1:
        raise InputError(
            f"the model has layers of {' and '.join(sorted(found))} statistics; expected one of "
            "them: use recalibrate, or set_statistics"
        )
    return found.pop() if found else "moving"


def unallocated(work: Callable[[], T]) -> T:
    """Calls a function that builds and inspects models, without allocating their weights."""

    def in_scope() -> T:
        with keras.StatelessScope(initialize_variables=False):
            return work()

    # Keras keeps a list of uninitialized variables per thread, and the next stateless call of any
    # model would allocate them. The list disappears with this thread.
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(in_scope).result()


def _matching_record(
    model: keras.Model, architecture: str, kind: type[Record], values: dict[str, Any]
) -> Record:
    """Returns the record that builds this model with one of the normalizations."""
    other = InputError(
        f"model {model.name!r} is not {architecture} as this package builds it; expected the "
        "unchanged result of build_extractor or build_head, and its split"
    )
    own = _layers(model)
    for normalization in NORMALIZATIONS:
        try:
            record = kind(**values, normalization=normalization)
            built = unallocated(lambda record=record: _layers(build(record, "part")))
        except (ValidationError, UnknownArchitectureError):
            raise other from None
        if built == own:
            return record
    raise other


def _shape(model: keras.Model, shape: Any) -> tuple[int | None, ...]:
    """Returns the shape of a model's only input or output, without the batch."""
    if not shape or not isinstance(shape, tuple) or isinstance(shape[0], (tuple, list)):
        raise InputError(f"model {model.name!r} has several inputs or outputs; expected one each")
    return tuple(shape[1:])


def _layers(model: keras.Model) -> list[Any]:
    """Returns all properties of a model's layers that decide its computation, except weights."""
    return [(type(layer), layer.name, _config(layer), _inputs(layer)) for layer in model.layers]


def _config(layer: keras.layers.Layer) -> dict[str, Any]:
    left_out = ("name", "dtype", "trainable", "statistics", "momentum", "batch_shape", "units")
    return {
        key: value
        for key, value in layer.get_config().items()
        if key not in left_out and not key.endswith("_initializer")
    }


def _inputs(layer: keras.layers.Layer) -> list[str]:
    """Returns the names of the layers that feed a layer of a functional model."""
    return [
        tensor._keras_history.operation.name
        for node in layer._inbound_nodes[:1]
        for tensor in node.input_tensors
    ]
