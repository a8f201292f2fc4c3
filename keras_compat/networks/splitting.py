"""Splits any functional model into an extractor and a head."""

from __future__ import annotations

import re
from typing import Any

import keras
import numpy as np
from keras import layers, tree

from keras_compat.errors import InputError, unknown_name
from keras_compat.layers import BatchStatisticsNormalization
from keras_compat.networks.copying import Change, Copies
from keras_compat.networks.graph import Call, Graph, replay, trace
from keras_compat.networks.initializers import SeededInitializers
from keras_compat.networks.structure import input_structure, output_structure

_INPUT_NAMES = ("features", *(f"features_{i}" for i in range(2, 1000)))


def split(
    model: keras.Model,
    layer: str | keras.layers.Layer,
    interface_channels: int | None = None,
    seed: int | None = None,
) -> tuple[keras.Model, keras.Model]:
    """Splits a functional Keras model after one of its layers.

    Both parts are copies with the weights of the model, which is not changed. Nested models are
    dissolved. Keras' `BatchNormalization` becomes `BatchStatisticsNormalization` with the same
    weights, which normalizes with batch statistics; `layers.set_statistics(part, "moving")` gives
    the original's behaviour at inference.

    Args:
        model: Functional or sequential model, such as those of `keras.applications`.
        layer: Last layer of the extractor: itself or its name; for a layer in a nested model its
            name or `"nested_model/layer"`; for networks of `build` also a split point.
        interface_channels: Outputs of an added 1x1 convolution at the end of the extractor, which
            fits it to a shared interface; another one in the head leads back. They begin as a
            projection and its transpose, which lose nothing if the number is at least the channels
            at the cut. None adds nothing.

    Returns:
        Extractor and head. The head takes features of any height and width if its layers do.

    Raises:
        InputError: The model is not functional, has no such layer, or needs at the cut more than
            the one tensor that the layer emits; the message names the nearest layers at which it
            can be split.

    Example:

    >>> from keras_compat import networks
    >>> extractor, head = split(networks.build("resnet8", (32, 32, 3), 10, seed=0), "stage2")
    >>> extractor.output_shape, head.input_shape
    ((None, 16, 16, 32), (None, None, None, 32))
    """
    copies = Copies(_in_split_form())
    graph = trace(model, copies.of)
    copies.finish()
    cut = _find_cut(graph, _find_path(graph, model, layer))
    after = graph.calls_after([cut])
    _check_nothing_shared(graph, after)

    extractor_output, start = cut, None
    if interface_channels is not None:
        extractor_output, start = _interface(cut, interface_channels, seed)
    inputs = tree.pack_sequence_as(input_structure(model), graph.inputs)
    extractor = keras.Model(inputs, extractor_output, name=f"{model.name}_extractor")
    features, outputs = _head(graph, after, cut, start, extractor_output)
    outputs = tree.pack_sequence_as(output_structure(model), outputs)
    return extractor, keras.Model(features, outputs, name=f"{model.name}_head")


def cut_points(model: keras.Model) -> tuple[str, ...]:
    """Lists the layers after which `split` can cut a functional model.

    Returns:
        Names in the order of the network; a layer in a nested model as `"nested_model/layer"`.

    Raises:
        InputError: The model is not functional.

    Example:

    >>> from keras_compat import networks
    >>> cut_points(networks.build("resnet8", (32, 32, 3), 10, seed=0))[:4]
    ('rescaling', 'stem_conv', 'stem_norm', 'stem')
    """
    graph = trace(model)
    return tuple(path for path in graph.points if _is_cut(graph, path))


def _in_split_form() -> Change:
    """Returns a change to unique names, and from Keras' batch normalization to ours."""
    names: dict[str, int] = {}

    def unique(name: str) -> str:
        """Returns `name`, with a number if a layer of another nested model has it."""
        names[name] = names.get(name, 0) + 1
        return name if names[name] == 1 else unique(f"{name}_{names[name]}")

    def change(layer: Any, config: dict[str, Any]) -> tuple[type, dict[str, Any]]:
        config = {**config, "name": unique(layer.name)}
        if type(layer) is layers.BatchNormalization:
            return BatchStatisticsNormalization, _without_renorm(layer, config)
        return type(layer), config

    return change


def _without_renorm(
    layer: keras.layers.BatchNormalization, config: dict[str, Any]
) -> dict[str, Any]:
    if layer.renorm:
        raise InputError(
            f"layer {layer.name!r} uses batch renormalization, which has no batch-statistics form; "
            "replace it by BatchNormalization(renorm=False)"
        )
    return {key: value for key, value in config.items() if not key.startswith("renorm")}


def _find_cut(graph: Graph, path: str) -> Any:
    """Returns the tensor at which to cut."""
    outputs = graph.points[path][0]
    if len(graph.points[path]) > 1:
        raise InputError(f"layer {path!r} is called more than once; cut at another")
    if len(outputs) > 1:
        raise InputError(f"layer {path!r} emits {len(outputs)} tensors; cut where there is one")
    if not graph.calls_after(outputs):
        raise InputError(f"a cut at the last layer {path!r} leaves no head; cut before it")
    bypass = graph.bypass(outputs[0])
    if bypass is not None:
        raise InputError(
            f"a cut at {path!r} would need more than its output, since {bypass!r} also comes from "
            f"elsewhere; cut at {_nearest_cuts(graph, path)}"
        )
    if _mask_of(outputs[0]) is not None:
        raise InputError(
            f"layer {path!r} emits a mask beside its output, which a head is not given; cut at "
            f"{_nearest_cuts(graph, path)}"
        )
    return outputs[0]


def _mask_of(tensor: Any) -> Any:
    return getattr(tensor, "_keras_mask", None)


def _find_path(graph: Graph, model: keras.Model, layer: str | keras.layers.Layer) -> str:
    if isinstance(layer, str):
        return _find_name(graph, layer)
    if not isinstance(layer, keras.layers.Layer):
        raise InputError(
            f"layer is a {type(layer).__name__}; expected the name of a layer, or the layer itself"
        )
    paths = [path for path, own in graph.layers.items() if own is layer]
    if not paths:
        known = ", ".join(map(repr, list(graph.layers)[:5]))
        raise InputError(
            f"layer {layer.name!r} ({type(layer).__name__}) is none that model {model.name!r} "
            f"calls; expected one of its layers, such as {known}"
        )
    if len(paths) > 1:
        raise InputError(
            f"layer {layer.name!r} is called more than once, as {' and '.join(map(repr, paths))}; "
            "cut at another"
        )
    return paths[0]


def _find_name(graph: Graph, name: str) -> str:
    if name in graph.points:
        return name
    nested = [path for path in graph.points if path.rpartition("/")[2] == name]
    stage = [path for path in graph.points if re.fullmatch(rf"{re.escape(name)}_block\d+", path)]
    if len(nested) > 1:
        raise InputError(f"layer {name!r} could be {' or '.join(map(repr, nested))}; say which")
    if nested or stage:
        return (nested or stage)[-1]
    raise unknown_name("layer", name, graph.points)


def _is_cut(graph: Graph, path: str) -> bool:
    calls = graph.points[path]
    if len(calls) > 1 or len(calls[0]) > 1 or not graph.calls_after(calls[0]):
        return False
    return graph.bypass(calls[0][0]) is None and _mask_of(calls[0][0]) is None


def _nearest_cuts(graph: Graph, path: str) -> str:
    paths = list(graph.points)
    index = paths.index(path)
    before = next((p for p in reversed(paths[:index]) if _is_cut(graph, p)), None)
    behind = next((p for p in paths[index + 1 :] if _is_cut(graph, p)), None)
    return " or ".join(repr(p) for p in (before, behind) if p) or "no layer of this model"


def _check_nothing_shared(graph: Graph, after: list[Call]) -> None:
    ids = {id(call) for call in after}
    in_extractor = {id(c.operation) for c in graph.calls if id(c) not in ids}
    for call in after:
        if id(call.operation) in in_extractor and isinstance(call.operation, layers.Layer):
            raise InputError(
                f"layer {call.operation.name!r} is used before and after the cut; "
                "cut where all its uses are on one side"
            )


def _interface(cut: Any, channels: int, seed: int | None) -> tuple[Any, layers.Layer]:
    """Returns the extractor's new output and the head's new first layer."""
    if len(cut.shape) != 4:
        raise InputError(
            f"interface_channels needs features of height, width and channels; got {cut.shape[1:]}"
        )
    if channels < 1:
        raise InputError(f"interface_channels is {channels}; expected a whole number from 1")
    own = cut.shape[-1]
    generator = np.random.default_rng(SeededInitializers(seed).seed_of("interface"))
    basis, _ = np.linalg.qr(generator.normal(size=(max(own, channels), min(own, channels))))
    projection = basis if own >= channels else basis.T
    there = layers.Conv2D(channels, 1, name="interface")
    back = layers.Conv2D(own, 1, name="interface_back")
    features = there(cut)
    back.build(features.shape)
    there.kernel.assign(projection[None, None])
    back.kernel.assign(projection.T[None, None])
    return features, back


def _head(
    graph: Graph, after: list[Call], cut: Any, start: layers.Layer | None, features: Any
) -> tuple[Any, list[Any]]:
    """Calls the layers after the cut on new features, if possible of any height and width."""
    fixed = tuple(features.shape[1:])
    if len(fixed) == 3:
        try:
            inputs, outputs, calls = _call_again(
                graph, after, cut, start, (None, None, fixed[-1]), features.dtype
            )
            shapes = [x.shape for call in calls for x in call.outputs]
            # Unless height and width became one axis of unknown size.
            if not any(len(shape) < 4 and None in shape[1:] for shape in shapes):
                return inputs, outputs
        except (ValueError, TypeError):
            # Some layers need the size, such as a dense layer on flattened features.
            pass
    return _call_again(graph, after, cut, start, fixed, features.dtype)[:2]


def _call_again(
    graph: Graph,
    after: list[Call],
    cut: Any,
    start: layers.Layer | None,
    shape: tuple[int | None, ...],
    dtype: str,
) -> tuple[Any, list[Any], list[Call]]:
    calls: list[Call] = []
    taken = {call.operation.name for call in after}
    name = next(x for x in _INPUT_NAMES if x not in taken)
    inputs = keras.Input(shape, dtype=dtype, name=name)
    tensors = {id(cut): inputs if start is None else start(inputs)}
    replay(after, tensors, record=calls.append)
    return inputs, [tensors[id(x)] for x in graph.outputs], calls
