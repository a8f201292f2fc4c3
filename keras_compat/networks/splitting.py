"""Any functional model split into an extractor and a head."""

from __future__ import annotations

import re
from typing import Any

import keras
import numpy as np
from keras import layers

from keras_compat.errors import InputError, unknown_name
from keras_compat.layers import BatchStatisticsNormalization
from keras_compat.networks.graph import Call, Graph, replay, trace
from keras_compat.networks.initializers import SeededInitializers


def split(
    model: keras.Model,
    layer: str | keras.layers.Layer,
    interface_channels: int | None = None,
    seed: int | None = None,
) -> tuple[keras.Model, keras.Model]:
    """Splits a functional Keras model after one of its layers.

    Both parts are copies with the weights of the model; the model stays as it is. Nested models
    are dissolved. Stock `BatchNormalization` becomes `BatchStatisticsNormalization` with the same
    weights, normalizing with batch statistics; `layers.set_statistics(part, "moving")` gives the
    original's behaviour at inference.

    Args:
        model: functional or sequential, such as those of `keras.applications`.
        layer: the last layer of the extractor: itself or its name; for a layer in a nested model
            its name or `"nested_model/layer"`; for networks of `build` also a split point.
        interface_channels: None splits the network as it is. A number adds a 1x1 convolution with
            that many outputs to the extractor and one back to the head, so that the extractor
            fits a shared interface; they start as a projection and its transpose, which loses
            nothing if the number is at least the channels at the cut.
        seed: of the projection.

    Returns:
        Extractor and head. The head takes features of any height and width if its layers do.

    Raises:
        InputError: if the model is not functional, has no such layer, or needs at the cut more
            than the one tensor that the layer emits; the message names the nearest layers at
            which it can be split.

    Example:

    >>> from keras_compat import networks
    >>> extractor, head = split(networks.build("resnet8", (32, 32, 3), 10, seed=0), "stage2")
    >>> extractor.output_shape, head.input_shape
    ((None, 16, 16, 32), (None, None, None, 32))
    """
    copies = _LayerCopies()
    graph = trace(model, copies)
    copies.copy_weights()
    cut = _find_cut(graph, layer if isinstance(layer, str) else layer.name)
    after = graph.calls_after([cut])
    _check_nothing_shared(graph, after)

    extractor_output, start = cut, None
    if interface_channels is not None:
        extractor_output, start = _interface(cut, interface_channels, seed)
    extractor = keras.Model(
        _unpacked(graph.inputs), extractor_output, name=f"{model.name}_extractor"
    )
    features, outputs = _head(graph, after, cut, start, extractor_output)
    return extractor, keras.Model(features, _unpacked(outputs), name=f"{model.name}_head")


def cut_points(model: keras.Model) -> tuple[str, ...]:
    """Lists the layers after which `split` can cut a functional model.

    Args:
        model: functional or sequential.

    Returns:
        Names in the order of the network; a layer in a nested model as `"nested_model/layer"`.

    Raises:
        InputError: if the model is not functional.

    Example:

    >>> from keras_compat import networks
    >>> cut_points(networks.build("resnet8", (32, 32, 3), 10, seed=0))[:4]
    ('rescaling', 'stem_conv', 'stem_norm', 'stem')
    """
    graph = trace(model)
    return tuple(path for path in graph.points if _is_cut(graph, path))


class _LayerCopies:
    """Copies layers, each once, under unique names, with our normalization for the stock one."""

    def __init__(self) -> None:
        self._pairs: dict[int, tuple[Any, Any]] = {}
        self._names: dict[str, int] = {}

    def __call__(self, layer: keras.layers.Layer) -> keras.layers.Layer:
        if id(layer) not in self._pairs:
            self._pairs[id(layer)] = (layer, self._copy(layer))
        return self._pairs[id(layer)][1]

    def copy_weights(self) -> None:
        """Gives the copies the weights of their originals; after the copies were called."""
        for original, copy in self._pairs.values():
            copy.set_weights(original.get_weights())

    def _copy(self, layer: keras.layers.Layer) -> keras.layers.Layer:
        try:
            config = {**layer.get_config(), "name": self._unique(layer.name)}
            if isinstance(layer, layers.BatchNormalization):
                return BatchStatisticsNormalization.from_config(_without_renorm(layer, config))
            return type(layer).from_config(config)
        # Keras raises the latter for a layer whose arguments it does not know how to save.
        except (TypeError, NotImplementedError) as error:
            raise InputError(
                f"layer {layer.name!r} ({type(layer).__name__}) cannot be copied; give it a "
                "get_config that returns its arguments"
            ) from error

    def _unique(self, name: str) -> str:
        """Returns `name`, with a number where layers of nested models have the same name."""
        self._names[name] = self._names.get(name, 0) + 1
        count = self._names[name]
        return name if count == 1 else self._unique(f"{name}_{count}")


def _without_renorm(
    layer: keras.layers.BatchNormalization, config: dict[str, Any]
) -> dict[str, Any]:
    if layer.renorm:
        raise InputError(
            f"layer {layer.name!r} uses batch renormalization, which has no batch-statistics form; "
            "replace it by BatchNormalization(renorm=False)"
        )
    return {key: value for key, value in config.items() if not key.startswith("renorm")}


def _find_cut(graph: Graph, name: str) -> Any:
    """Returns the tensor at which to cut."""
    path = _find_path(graph, name)
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
    return outputs[0]


def _find_path(graph: Graph, name: str) -> str:
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
    return graph.bypass(calls[0][0]) is None


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
    """Calls the layers after the cut on new features, of any height and width if possible."""
    fixed = tuple(features.shape[1:])
    if len(fixed) == 3:
        try:
            inputs, outputs, calls = _call_again(
                graph, after, cut, start, (None, None, fixed[-1]), features.dtype
            )
            if not any(_lost_size(x) for call in calls for x in call.outputs):
                return inputs, outputs
        except (ValueError, TypeError):
            # Layers that need the size, such as a dense layer on flattened features.
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
    inputs = keras.Input(shape, dtype=dtype, name="features")
    tensors = {id(cut): inputs if start is None else start(inputs)}
    replay(after, tensors, record=calls.append)
    return inputs, [tensors[id(x)] for x in graph.outputs], calls


def _lost_size(tensor: Any) -> bool:
    """Says whether height and width went into an axis of unknown size."""
    return len(tensor.shape) < 4 and None in tensor.shape[1:]


def _unpacked(tensors: list[Any]) -> Any:
    return tensors[0] if len(tensors) == 1 else tensors
