"""Layers that networks need to be recombined, above all normalization by batch statistics."""

from keras_compat.layers.augmentation import Augmentation
from keras_compat.layers.batch_statistics_normalization import BatchStatisticsNormalization
from keras_compat.layers.channel_padding import ChannelPadding
from keras_compat.layers.statistics import (
    normalization_layers,
    recalibrating,
    set_statistics,
    set_synchronized,
    split_by_device,
)
from keras_compat.layers.unit_length import UnitLength

__all__ = [
    "Augmentation",
    "BatchStatisticsNormalization",
    "ChannelPadding",
    "UnitLength",
    "normalization_layers",
    "recalibrating",
    "set_statistics",
    "set_synchronized",
    "split_by_device",
]
