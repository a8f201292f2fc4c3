"""Batch normalization that keeps its mode when it is frozen."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_compat import replica_ops
from keras_compat.errors import InputError
from keras_compat.layers import fused_tensorflow

MODES = ("batch", "moving")


@keras.saving.register_keras_serializable("keras_compat")
class BatchStatisticsNormalization(keras.layers.BatchNormalization):
    """Normalizes with the statistics of the batch, at inference as in training.

    Recombined networks get features with other statistics than in training, so the paper normalizes
    with the batch at test time. Keras' own `BatchNormalization` cannot do so: it uses moving
    statistics at inference, and also in training once it is frozen.

    ```
    statistics  training=True                      training=False
    "batch"     of the batch                       of the batch
    "moving"    of the batch                       moving
    ```

    The table holds whether or not the layer is trainable. A trainable layer updates its moving
    statistics in training, so that a network can be deployed with them. Statistics are computed in
    float32 at least, also under mixed precision.

    Args:
        momentum: Share of the old value in an update of the moving statistics.
        statistics: `"batch"` or `"moving"`; `set_statistics` can change it.
        synchronized: Whether a batch that is split over devices is normalized as one batch;
            `False` lets each device normalize with its own part in training.

    Arguments that are not listed are those of `keras.layers.BatchNormalization`, but for those of
    renormalization.

    Input shape: any rank of 2 or more. Output shape: the same.

    Raises:
        InputError: `statistics` is neither `"batch"` nor `"moving"`.

    Source: Ioffe and Szegedy 2015; Gygli et al. 2021, Sec. 4 and B.1.

    Example:

    >>> import numpy as np
    >>> layer = BatchStatisticsNormalization()
    >>> x = np.array([[1.0], [3.0]], "float32")
    >>> y = layer(x, training=False)
    >>> np.round(keras.ops.convert_to_numpy(y), 3).tolist()
    [[-1.0], [1.0]]
    """

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        center: bool = True,
        scale: bool = True,
        statistics: str = "batch",
        synchronized: bool = True,
        **kwargs: Any,
    ):
        super().__init__(axis, momentum, epsilon, center, scale, renorm=False, **kwargs)
        self.supports_masking = False
        self.statistics = statistics
        self.synchronized = synchronized
        self._recalibrating = False
        self._split: tuple[int, int] | None = None

    @property
    def statistics(self) -> str:
        """Kind of statistics at inference, `"batch"` or `"moving"`."""
        return self._statistics

    @statistics.setter
    def statistics(self, mode: str) -> None:
        if mode not in MODES:
            raise InputError(f"statistics is {mode!r}; expected 'batch' or 'moving'")
        self._statistics = mode

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates `gamma`, `beta`, `moving_mean` and `moving_variance`, each `[channels]`."""
        rank = len(input_shape)
        if not -rank <= self.axis < rank:
            raise ValueError(f"axis is out of bounds of {input_shape}. Received: axis={self.axis}")
        channels = input_shape[self.axis]
        if channels is None:
            raise ValueError(f"axis {self.axis} of shape {input_shape} must have a known size")
        super().build(input_shape)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Normalizes `inputs`; the class describes the statistics."""
        if self.statistics == "moving" and not training and not self._recalibrating:
            mean, variance = self.moving_mean, self.moving_variance
            return self._normalize(inputs, mean, variance)
        together = self.synchronized and replica_ops.count() > 1
        if self._split and training and not self.synchronized:
            outputs, mean, variance = self._by_device(inputs, *self._split)
        elif fused_tensorflow.applies(inputs, self.axis) and not together:
            outputs, mean, variance = self._fused(inputs)
        else:
            mean, variance = self._moments(inputs)
            outputs = self._normalize(inputs, mean, variance)
        if self._recalibrating:
            self.moving_mean.assign(mean)
            self.moving_variance.assign(variance)
        elif training and self.trainable:
            self._average(self.moving_mean, mean)
            self._average(self.moving_variance, variance)
        return outputs

    def _statistics_dtype(self, inputs: Any) -> str:
        # On JAX `keras.backend.result_type` gives float32 unless `floatx` is float64.
        dtype = keras.backend.standardize_dtype(inputs.dtype)
        return dtype if dtype == "float64" else "float32"

    def _moments(self, inputs: Any) -> tuple[Any, Any]:
        x = ops.cast(inputs, self._statistics_dtype(inputs))
        axes = [i for i in range(len(inputs.shape)) if i != self.axis % len(inputs.shape)]
        return replica_ops.moments(x, axes) if self.synchronized else ops.moments(x, axes)

    def _by_device(self, inputs: Any, devices: int, batch: int) -> tuple[Any, Any, Any]:
        """Normalizes each device's part of a batch that the step sees as a whole, as on JAX.

        An auxiliary task may show several whole batches, one after the other.
        """
        rows = inputs.shape[0]
        times = rows // batch if rows % batch == 0 else 1
        x = ops.cast(inputs, self._statistics_dtype(inputs))
        parts = ops.reshape(x, (times, devices, rows // times // devices, *inputs.shape[1:]))
        axes = [i for i in range(len(parts.shape)) if i not in (1, 2 + self.axis % inputs.ndim)]
        mean, variance = ops.moments(parts, axes, keepdims=True)
        channels = [1] * len(parts.shape)
        channels[2 + self.axis % inputs.ndim] = inputs.shape[self.axis]
        outputs = (parts - mean) * ops.rsqrt(variance + self.epsilon)
        if self.scale:
            outputs = outputs * ops.reshape(ops.cast(self.gamma, x.dtype), channels)
        if self.center:
            outputs = outputs + ops.reshape(ops.cast(self.beta, x.dtype), channels)
        outputs = ops.cast(ops.reshape(outputs, inputs.shape), self.compute_dtype)
        mean, variance = (ops.mean(ops.reshape(m, (devices, -1)), axis=0) for m in (mean, variance))
        return outputs, mean, variance

    def _normalize(self, inputs: Any, mean: Any, variance: Any) -> Any:
        dtype = self._statistics_dtype(inputs)
        outputs = ops.batch_normalization(
            ops.cast(inputs, dtype),
            ops.cast(mean, dtype),
            ops.cast(variance, dtype),
            axis=self.axis,
            offset=ops.cast(self.beta, dtype) if self.center else None,
            scale=ops.cast(self.gamma, dtype) if self.scale else None,
            epsilon=self.epsilon,
        )
        return ops.cast(outputs, self.compute_dtype)

    def _fused(self, inputs: Any) -> tuple[Any, Any, Any]:
        channels = (inputs.shape[self.axis],)
        gamma = ops.cast(self.gamma, "float32") if self.scale else ops.ones(channels, "float32")
        beta = ops.cast(self.beta, "float32") if self.center else ops.zeros(channels, "float32")
        outputs, mean, variance = fused_tensorflow.normalize(inputs, gamma, beta, self.epsilon)
        return ops.cast(outputs, self.compute_dtype), mean, variance

    def _average(self, moving: keras.Variable, value: Any) -> None:
        value = ops.cast(value, moving.dtype)
        moving.assign(moving * self.momentum + value * (1.0 - self.momentum))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that make this layer again."""
        config = {k: v for k, v in super().get_config().items() if not k.startswith("renorm")}
        return {**config, "statistics": self.statistics}
