"""TensorFlow's fused kernel for normalization by batch statistics."""

from __future__ import annotations

from typing import Any

import keras


def applies(x: Any, axis: int) -> bool:
    """Returns whether the fused kernel can normalize `x` over all axes but `axis`.

    Args:
        x: Tensor of any rank.

    Returns:
        True on the TensorFlow backend for channels-last images of at most 32 bits.
    """
    return (
        keras.backend.backend() == "tensorflow"
        and len(x.shape) == 4
        and axis in (-1, 3)
        and keras.backend.standardize_dtype(x.dtype) in ("float32", "float16", "bfloat16")
    )


def normalize(x: Any, gamma: Any, beta: Any, epsilon: float) -> tuple[Any, Any, Any]:
    """Normalizes images with the statistics of their batch.

    It uses the raw operation, since the public wrapper raises `epsilon` to 1.001e-5 silently.

    Args:
        x: Images, `[batch, height, width, channels]`, float32, float16 or bfloat16.
        gamma: Scale, float32 `[channels]`.
        beta: Offset, float32 `[channels]`.

    Returns:
        The normalized images in the dtype of `x`; mean and population variance, float32
        `[channels]`.
    """
    import tensorflow as tf

    outputs = tf.raw_ops.FusedBatchNormV3(
        x=x,
        scale=gamma,
        offset=beta,
        mean=tf.zeros([0]),
        variance=tf.zeros([0]),
        epsilon=epsilon,
        exponential_avg_factor=1.0,
        is_training=True,
    )
    # The kernel returns the sample variance; Keras keeps the population variance.
    count = tf.cast(tf.reduce_prod(tf.shape(x)[:3]), tf.float32)
    population = outputs.batch_variance * (count - 1.0) / tf.maximum(count, 1.0)
    variance = tf.where(count > 1.0, population, tf.zeros_like(population))
    return outputs.y, outputs.batch_mean, variance
