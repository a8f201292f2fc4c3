"""The graph of a functional model as a flat list of calls, nested models included."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import keras
from keras import tree

from keras_compat.errors import InputError
from keras_compat.networks.structure import check_functional, input_structure, is_functional


@dataclass(frozen=True)
class Call:
    """One call of a layer or an operation on symbolic tensors."""

    operation: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: tuple[Any, ...]

    @property
    def inputs(self) -> list[Any]:
        """The symbolic tensors among the arguments."""
        values = tree.flatten((self.args, self.kwargs))
        return [x for x in values if isinstance(x, keras.KerasTensor)]


@dataclass
class Graph:
    """The calls of a functional model in order, and the tensors that its layers emit.

    Args:
        calls: Calls in an order in which they can be made.
        points: Output tensors by the path of a layer (`"layer"`, or `"nested_model/layer"`), a list
            for each call.
        layers: The model's own layer by the path of a layer.
    """

    inputs: list[Any] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    points: dict[str, list[list[Any]]] = field(default_factory=dict)
    layers: dict[str, Any] = field(default_factory=dict)

    def add_point(self, path: str, layer: Any, outputs: Iterable[Any]) -> None:
        """Adds the outputs of one call of the layer at `path`."""
        self.points.setdefault(path, []).append(list(outputs))
        self.layers[path] = layer

    def calls_after(self, tensors: Iterable[Any]) -> list[Call]:
        """Returns the calls that depend on any of `tensors`."""
        reached = {id(x) for x in tensors}
        calls = []
        for call in self.calls:
            if any(id(x) in reached for x in call.inputs):
                reached.update(id(x) for x in call.outputs)
                calls.append(call)
        return calls

    def bypass(self, tensor: Any) -> str | None:
        """Returns the name of a layer or output that needs more than `tensor`.

        Args:
            tensor: The output of a layer.

        Returns:
            The name of a layer after `tensor` that needs an earlier tensor too, or of an output
            that does not come from `tensor` alone; `None` if all that follows needs only `tensor`.
        """
        known = {id(tensor)}
        for call in self.calls_after([tensor]):
            if not all(id(x) in known for x in call.inputs):
                return call.operation.name
            known.update(id(x) for x in call.outputs)
        return next((x.name for x in self.outputs if id(x) not in known), None)


def replay(
    calls: Iterable[Call],
    tensors: dict[int, Any],
    training: bool | None = None,
    record: Callable[[Call], None] = lambda call: None,
) -> None:
    """Makes calls again on other tensors.

    Args:
        calls: Calls in an order in which they can be made.
        tensors: New tensors by the `id` of the earlier ones; the outputs of the calls are added.
        training: Argument of the layers that take it, as in a call of a nested model.
        record: A function that is called with each new call.
    """
    for call in calls:
        args, kwargs = tree.map_structure(
            lambda x: tensors.get(id(x), x), (call.args, dict(call.kwargs))
        )
        takes_training = "training" in inspect.signature(call.operation.call).parameters
        if training is not None and takes_training:
            kwargs["training"] = training
        outputs = tuple(tree.flatten(call.operation(*args, **kwargs)))
        tensors.update({id(x): y for x, y in zip(call.outputs, outputs, strict=True)})
        record(Call(call.operation, tuple(args), kwargs, outputs))


def trace(
    model: keras.Model, copy_layer: Callable[[Any], Any] = lambda x: x, path: str = ""
) -> Graph:
    """Lists the calls of a functional model, those inside nested models included.

    Args:
        model: A functional or built sequential model; it is not changed.
        copy_layer: A function from each layer to the layer that replaces it in the calls.
        path: Prefix of the names of points.

    Returns:
        The graph, on new symbolic inputs.

    Raises:
        InputError: The model is not functional.
    """
    check_functional(model, "only its graph says what it computes")
    graph = Graph()
    originals: dict[int, Any] = {}

    def replacement(operation: Any) -> Any:
        keep = is_functional(operation) or not isinstance(operation, keras.layers.Layer)
        new = operation if keep else copy_layer(operation)
        originals[id(new)] = operation
        return new

    def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
        original = originals[id(operation)]
        point = path + original.name
        if is_functional(operation):
            outputs = _inline(operation, args, kwargs, copy_layer, point, graph)
        else:
            _check_mask(original, operation, kwargs)
            outputs = operation(*args, **kwargs)
            graph.calls.append(Call(operation, args, kwargs, tuple(tree.flatten(outputs))))
        graph.add_point(point, original, tree.flatten(outputs))
        return outputs

    # A plain model of the same tensors, without subclass and settings of `compile`.
    plain = keras.Model(model.inputs, model.outputs)
    new = keras.models.clone_model(plain, clone_function=replacement, call_function=call)
    graph.inputs, graph.outputs = list(new.inputs), list(new.outputs)
    return graph


def _check_mask(original: Any, operation: Any, kwargs: dict[str, Any]) -> None:
    """Removes the argument `mask=None`, which Keras records and not every layer takes.

    Raises:
        InputError: There is a mask, and the layer that replaces the original does not take it.
    """
    if kwargs.get("mask", kwargs) is None:
        del kwargs["mask"]
    if "mask" in kwargs and "mask" not in inspect.signature(operation.call).parameters:
        raise InputError(
            f"layer {original.name!r} ({type(original).__name__}) is given a mask, which "
            f"{type(operation).__name__}, in its place, does not take; use no mask there"
        )


def _inline(
    model: keras.Model,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    copy_layer: Callable[[Any], Any],
    point: str,
    graph: Graph,
) -> list[Any]:
    """Adds the calls inside a nested model to `graph` and returns the model's outputs."""
    given = inspect.signature(model.call).bind(*args, **kwargs).arguments
    inner = trace(model, copy_layer, f"{point}/")
    tensors = {
        id(x): _as_input(y, x, graph)
        for x, y in zip(inner.inputs, _in_order(model, given["inputs"]), strict=True)
    }
    _check_masks(point, given)
    replay(inner.calls, tensors, given.get("training"), graph.calls.append)
    for inner_point, calls in inner.points.items():
        for outputs in calls:
            graph.add_point(
                inner_point, inner.layers[inner_point], [tensors[id(x)] for x in outputs]
            )
    return [tensors[id(x)] for x in inner.outputs]


def _in_order(model: keras.Model, given: Any) -> list[Any]:
    """Returns the arguments of a nested model in the order of its inputs, as Keras finds it.

    If the model's own inputs are no dict, a dict is matched by the names of the inputs.
    """
    own = input_structure(model)
    if isinstance(given, dict) and not isinstance(own, dict):
        return [given[x.name] for x in model.inputs]
    return tree.flatten(given)


def _as_input(tensor: Any, reference: Any, graph: Graph) -> Any:
    """Returns a tensor in the dtype of a model's input, as Keras passes it to inner layers."""
    if tensor is None or keras.backend.standardize_dtype(tensor.dtype) == reference.dtype:
        return tensor
    new = keras.ops.cast(tensor, reference.dtype)
    graph.calls.append(Call(new._keras_history.operation, (tensor,), {}, (new,)))
    return new


def _check_masks(point: str, given: dict[str, Any]) -> None:
    """Raises an `InputError` if a nested model gets a mask that its inputs do not have."""
    masks = [mask for mask in tree.flatten(given.get("mask")) if mask is not None]
    own = [getattr(x, "_keras_mask", None) for x in tree.flatten(given["inputs"])]
    if masks and any(mask is None for mask in own):
        raise InputError(
            f"model {point!r} is called with a mask, which its layers would not be given where it "
            "is dissolved; make the mask by a layer, such as Masking"
        )
