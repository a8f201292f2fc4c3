"""Computation in 16 bits within training steps of float32 networks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock

import keras

from keras_compat.choices import FULL, PRECISIONS, check_choice


class Precision:
    """The precision in which layers compute within a training step.

    Within `applied` the layers of some parts have another dtype policy. Outside of it they are
    float32 networks, so evaluation, recombination, storage and export are in float32, and a stored
    network can be trained further in any precision. Weights are float32 in every policy.

    Three things stay in float32: the statistics of `layers.BatchStatisticsNormalization`; the last
    layer with weights of a head, since a loss of logits in 16 bits is not reliable; and layers with
    `keeps_precision`, such as `layers.UnitLength`. Layers of another policy than float32 keep it.

    Args:
        name: `"float32"`, `"mixed_bfloat16"` or `"mixed_float16"`.

    Raises:
        InputError: The precision is unknown.

    Source: Micikevicius et al. 2018, https://arxiv.org/abs/1710.03740.

    Example:

    >>> layer = keras.layers.Dense(2)
    >>> extractor = keras.Sequential([keras.Input((3,)), layer])
    >>> with Precision("mixed_bfloat16", [extractor], []).applied():
    ...     layer.compute_dtype, layer.variable_dtype
    ('bfloat16', 'float32')
    >>> layer.compute_dtype
    'float32'
    """

    def __init__(self, name: str, extractors: Sequence[keras.Model], heads: Sequence[keras.Model]):
        check_choice("precision", name, PRECISIONS)
        self.name = name
        self._layers: list[keras.layers.Layer] = []
        if name != FULL:
            last = [_last_with_weights(head) for head in heads]
            kept = {id(layer) for layer in last}
            layers = {id(x): x for part in [*extractors, *heads] for x in part._flatten_layers()}
            self._layers = [
                layer
                for key, layer in layers.items()
                if key not in kept
                and layer.dtype_policy.name == FULL
                and not getattr(layer, "keeps_precision", False)
            ]
        # Replicas of a `tf.distribute` strategy are traced in threads that take turns.
        self._within = 0
        self._lock = Lock()

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Makes the layers compute in this precision within it; calls may be nested."""
        self._enter(1, self.name)
        try:
            yield
        finally:
            self._enter(-1, FULL)

    def _enter(self, change: int, policy: str) -> None:
        with self._lock:
            outside = self._within == 0 or self._within + change == 0
            self._within += change
            if outside:
                for layer in self._layers:
                    layer.dtype_policy = policy


def _last_with_weights(head: keras.Model) -> keras.layers.Layer | None:
    leaves = [layer for layer in head._flatten_layers() if not hasattr(layer, "layers")]
    return next((layer for layer in reversed(leaves) if layer.weights), None)
