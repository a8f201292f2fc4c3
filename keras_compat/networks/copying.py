"""Copies layers and models with all their state."""

from __future__ import annotations

import copy
import tempfile
import warnings
from collections.abc import Callable
from functools import cache
from types import FunctionType, SimpleNamespace
from typing import Any

import keras
import numpy as np
from keras import tree

from keras_compat.errors import InputError
from keras_compat.networks.structure import (
    has_graph,
    input_structure,
    is_functional,
    output_structure,
)

Change = Callable[[Any, dict[str, Any]], tuple[type, dict[str, Any]]]
"""A function from a layer and its config to the class and the config of its copy."""


class Copies:
    """Copies layers and models, each once, with all their state.

    Layers that several of them share, their copies share. The copy of a layer holds the same
    functions, also Python lambdas; nothing is read from a file.

    Args:
        change: A function that makes the copy of a layer another layer, but not of a model. `None`
            copies all layers unchanged.
        keep: A layer whose copy keeps its initial weights.

    Example:

    >>> layer = keras.layers.Normalization()
    >>> layer.adapt(np.array([[1.0], [3.0]], "float32"))
    >>> copies = Copies()
    >>> other = copies.of(layer)
    >>> copies.finish()
    >>> keras.ops.convert_to_numpy(other(np.array([[3.0]], "float32"))).tolist()
    [[1.0]]
    """

    def __init__(self, change: Change | None = None, keep: keras.layers.Layer | None = None):
        self._change = change
        self._keep = keep
        self._pairs: dict[int, tuple[Any, Any]] = {}
        self._without_state: list[tuple[Any, Any]] = []

    def of(self, layer: Any) -> Any:
        """Returns the copy of a layer or a model, and any other object, such as `None`, itself.

        Raises:
            InputError: The layer cannot be made again, or its copy cannot be given its state.
        """
        if not isinstance(layer, keras.layers.Layer):
            return layer
        if id(layer) not in self._pairs:
            made = self._copy(layer)
            self._pairs[id(layer)] = layer, made
            if layer is not self._keep and not self._is_made_of_copies(layer):
                # Before a call, since the output of a layer may depend on its state.
                if _is_built_like(layer, made):
                    copy_state(layer, made)
                else:
                    self._without_state.append((layer, made))
        return self._pairs[id(layer)][1]

    def finish(self) -> None:
        """Copies state that exists only after a call, and freezes the copies of frozen layers.

        Raises:
            InputError: A copy cannot be given its layer's state.
        """
        for original, made in self._without_state:
            copy_state(original, made)
        # A model freezes all its layers, so models come first.
        for original, made in reversed(self._pairs.values()):
            _copy_trainable(original, made)

    def _copy(self, layer: Any) -> Any:
        if not self._is_made_of_copies(layer):
            return self._copy_layer(layer)
        if isinstance(layer, keras.Sequential):
            inputs = self._inputs(layer) if has_graph(layer) else []
            layers = [*inputs, *(self.of(held) for held in layer.layers)]
            kind = type(layer) if _has_constructor_of_keras(layer) else keras.Sequential
            return kind(layers, name=layer.name)
        return self._copy_functional(layer)

    def _is_made_of_copies(self, layer: Any) -> bool:
        """Returns whether the copy is made of the layers' copies, not from a config."""
        if type(layer) is keras.Sequential:
            return True
        changes = self._change is not None and is_functional(layer)
        return has_graph(layer) and (changes or _has_constructor_of_keras(layer))

    def _inputs(self, model: Any) -> list[Any]:
        return [self._copy_layer(x._keras_history.operation).output for x in model.inputs]

    def _copy_functional(self, model: Any) -> Any:
        # A plain model of the same tensors, without the settings of `compile`.
        inputs, outputs = input_structure(model), output_structure(model)
        plain = keras.Model(model.inputs, model.outputs)
        new = keras.models.clone_model(
            plain,
            input_tensors=self._inputs(model),
            clone_function=self.of,
        )
        kind = type(model) if _has_constructor_of_keras(model) else keras.Model
        return kind(
            tree.pack_sequence_as(inputs, new.inputs),
            tree.pack_sequence_as(outputs, new.outputs),
            name=model.name,
        )

    def _copy_layer(self, layer: Any) -> Any:
        try:
            return self._made_again(layer)
        except InputError:
            raise
        # The layer's own code may fail in any way.
        except Exception as error:
            raise InputError(
                f"layer {layer.name!r} ({type(layer).__name__}) cannot be copied; give it a "
                f"get_config that returns its arguments, and a from_config that takes them: "
                f"{_told(error)}"
            ) from error

    def _made_again(self, layer: Any) -> Any:
        known = {
            name: type(held)
            for held in layer._flatten_layers()
            for name in (type(held).__name__, keras.saving.get_registered_name(type(held)))
        }
        if isinstance(layer, keras.layers.Lambda):
            config = _lambda_config(layer)
        elif isinstance(layer, keras.Model):
            config = layer.get_config()
        else:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "The object being serialized includes a `lambda`")
                config = {k: self._own(layer, k, v, known) for k, v in layer.get_config().items()}
        kind = type(layer)
        if self._change is not None:
            kind, config = self._change(layer, config)
        if isinstance(layer, keras.layers.Lambda):
            return kind(**config)
        with keras.saving.custom_object_scope(known):
            return kind.from_config(config)

    def _own(self, layer: Any, key: str, value: Any, known: dict[str, Any]) -> Any:
        """Returns the value in the copy's config for the attribute named `key`.

        Layers are copied, once each. The copy holds the same objects and functions that are not
        Keras' own: Keras finds them only if they are registered, and lambdas not at all.
        """
        held = getattr(layer, key, None)
        if isinstance(held, keras.layers.Layer):
            made = self.of(held)
            return _placeholder(made, known) if isinstance(value, dict) else made
        if isinstance(held, list | tuple) and isinstance(value, list | tuple):
            if held and all(isinstance(x, keras.layers.Layer) for x in held):
                copies = [self.of(x) for x in held]
                described = isinstance(value[0], dict)
                return [_placeholder(x, known) if described else x for x in copies]
            return value
        if not isinstance(value, dict) or str(value.get("module")).partition(".")[0] == "keras":
            return value
        is_it = isinstance(held, FunctionType) or type(held).__name__ == value.get("class_name")
        return _placeholder(held, known) if is_it else value


def copy_state(source: Any, target: Any) -> None:
    """Gives a layer or a model all state of another one of the same kind.

    The state is weights, random state, values that layers save in their own ways (vocabularies),
    and plain values outside of weights.

    Args:
        target: A layer or model from the same config; it is built if it is not.

    Raises:
        InputError: `source` has state that `target` cannot be given.

    Example:

    >>> layers = [keras.layers.Normalization() for _ in range(2)]
    >>> layers[0].adapt(np.array([[1.0], [3.0]], "float32"))
    >>> copy_state(*layers)
    >>> keras.ops.convert_to_numpy(layers[1].mean).tolist()
    [[2.0]]
    """
    try:
        _is_built_like(source, target)
        pairs = list(zip(source._flatten_layers(), target._flatten_layers(), strict=True))
        for one, other in pairs:
            if type(one) is type(other):
                _copy_what_it_saves(one, other)
        for one, other in zip(source.variables, target.variables, strict=True):
            other.assign(_array(one))
    except InputError:
        raise
    # The layer's own code may fail in any way.
    except Exception as error:
        raise InputError(
            f"layer {source.name!r} ({type(source).__name__}) cannot be copied: its copy does not "
            f"take its state ({_told(error)}); make it in __init__ or build"
        ) from error
    for one, other in pairs:
        # A model's other attributes belong to compilation and training.
        if type(one) is type(other) and not isinstance(one, keras.Model):
            _copy_plain_values(one, other)


def _told(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _is_built_like(source: Any, target: Any) -> bool:
    """Builds a layer like another one; returns False for layers that only a call builds."""
    if source.built and not target.built:
        with warnings.catch_warnings():
            # Many layers leave it to their first call to build the layers that they hold.
            warnings.filterwarnings("ignore", r"`build\(\)` was called on layer")
            target.build_from_config(source.get_build_config())
    held = [x._flatten_layers(include_self=False, recursive=False) for x in (source, target)]
    inner = [_is_built_like(one, other) for one, other in zip(*held, strict=False)]
    return all(inner) and (target.built or not source.built)


def _copy_trainable(source: Any, target: Any) -> None:
    for one, other in zip(source._flatten_layers(), target._flatten_layers(), strict=True):
        if one.trainable != other.trainable:
            other.trainable = one.trainable
    for one, other in zip(source.variables, target.variables, strict=True):
        # LoRA freezes single weights of a layer.
        if one.trainable != other.trainable:
            other.trainable = one.trainable


def _copy_what_it_saves(source: Any, target: Any) -> None:
    """Copies the state that a layer saves and loads by methods of its own."""
    if type(source).load_own_variables is not keras.layers.Layer.load_own_variables:
        store: dict[str, Any] = {}
        source.save_own_variables(store)
        arrays = {k: keras.ops.convert_to_numpy(v) for k, v in store.items()}
        target.load_own_variables(arrays)
    if hasattr(source, "save_assets"):
        with tempfile.TemporaryDirectory() as folder:
            source.save_assets(folder)
            target.load_assets(folder)


def _copy_plain_values(source: Any, target: Any) -> None:
    """Copies numbers, strings, arrays and variables that are neither weights nor in the config."""
    theirs = vars(target)
    tracked = {id(v) for v in target.variables}
    for name, value in dict(vars(source)).items():
        if name in _plumbing() or name.startswith("_self_"):
            continue
        other = theirs.get(name)
        ours, others = tree.flatten(value), tree.flatten(other)
        pairs = list(zip(ours, others, strict=False))
        if ours and all(isinstance(x, keras.Variable) for pair in pairs for x in pair):
            for one, variable in pairs:
                if id(variable) not in tracked:
                    variable.assign(_array(one))
        elif all(map(_is_plain, ours)):
            if not all(map(_is_plain, others)) and not _is_traced(others):
                continue
            if not _are_equal(ours, others):
                setattr(target, name, copy.deepcopy(value))
        elif other is None and not _is_traced(ours):
            raise InputError(
                f"layer {source.name!r} ({type(source).__name__}) cannot be copied: {name!r} is "
                "set neither by its arguments nor in build; make it a weight, or return it in "
                "get_config"
            )


def _is_plain(value: Any) -> bool:
    return isinstance(value, _PLAIN) or (keras.ops.is_tensor(value) and not _is_traced([value]))


def _is_traced(values: list[Any]) -> bool:
    """Returns whether a value is a tensor of a traced function, which has no numbers."""
    try:
        for x in values:
            np.array(x)
    # The backends have no common error for it.
    except Exception:
        return True
    return False


def _are_equal(ours: list[Any], others: list[Any]) -> bool:
    """Returns whether plain values are equal, apart from the precision of tensors."""

    def equal(a: Any, b: Any) -> bool:
        are_tensors = keras.ops.is_tensor(a) and keras.ops.is_tensor(b)
        a, b = np.array(a), np.array(b)
        if are_tensors and a.shape == b.shape and a.dtype != b.dtype:
            return np.allclose(a.astype("float64"), b.astype("float64"), rtol=1e-2)
        return np.array_equal(a, b)

    is_traced = _is_traced(others)
    return not is_traced and len(ours) == len(others) and all(map(equal, ours, others))


def _array(variable: keras.Variable) -> np.ndarray:
    return np.array(variable.value)


_PLAIN = (type(None), bool, int, float, complex, str, bytes, np.ndarray, np.generic)


@cache
def _plumbing() -> set[str]:
    """Returns the attributes of every Keras layer, without switches that are in no config."""
    names = vars(keras.layers.Layer(name="layer", dtype="float32"))
    return set(names) - {"autocast", "supports_jit", "_supports_masking"}


def _has_constructor_of_keras(model: Any) -> bool:
    return type(model).__init__.__module__.partition(".")[0] == "keras"


def _lambda_config(layer: keras.layers.Lambda) -> dict[str, Any]:
    """Returns a config with the functions themselves, which Keras' config has as bytes."""
    held = {"function": layer.function, "output_shape": layer._output_shape, "mask": layer.mask}
    base = keras.layers.Layer.get_config(layer)
    return {**base, **held, "arguments": dict(layer.arguments)}


def _placeholder(held: Any, known: dict[str, Any]) -> dict[str, Any]:
    """Returns a config from which Keras gets `held` itself while `known` is in scope."""
    name = f"keras_compat>held_{len(known)}"
    is_function = isinstance(held, FunctionType)
    known[name] = held if is_function else SimpleNamespace(from_config=lambda config: held)
    return {
        "class_name": "function" if is_function else name,
        "config": name if is_function else {},
        "module": "builtins",
        "registered_name": name,
    }
