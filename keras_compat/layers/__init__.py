"""Layers that networks need to be recombined: normalization by the statistics of the batch."""

from keras_compat.layers.batch_statistics_normalization import BatchStatisticsNormalization
from keras_compat.layers.channel_padding import ChannelPadding
from keras_compat.layers.statistics import (
    normalization_layers,
    recalibrating,
    set_statistics,
    set_synchronized,
)

__all__ = [
    "BatchStatisticsNormalization",
    "ChannelPadding",
    "normalization_layers",
    "recalibrating",
    "set_statistics",
    "set_synchronized",
]
