"""Evaluation of recombined networks and similarity of features.

In all functions, an extractor is a model from images, float32 `[batch, height, width, channels]` in
[0, 255], to features. A head is a model from these features to logits `[batch, classes]`.

Baselines, which need no compatible training, are in `keras_compat.evaluation.baselines`.
"""

from keras_compat.evaluation.batch_sizes import by_batch_size
from keras_compat.evaluation.calibration_images import by_calibration_images
from keras_compat.evaluation.correlation import cross_correlation, optimal_permutation
from keras_compat.evaluation.metrics import accuracy, mutual_information
from keras_compat.evaluation.prediction import predict_logits
from keras_compat.evaluation.recalibration import recalibrate
from keras_compat.evaluation.recombination import (
    common_examples,
    own_accuracies,
    recombination_accuracy,
    recombination_matrix,
)
from keras_compat.evaluation.signals import (
    ChannelStatistics,
    channel_statistics,
    compatibility_signals,
    information,
    some_images,
)

__all__ = [
    "ChannelStatistics",
    "accuracy",
    "by_batch_size",
    "by_calibration_images",
    "channel_statistics",
    "common_examples",
    "compatibility_signals",
    "cross_correlation",
    "information",
    "mutual_information",
    "optimal_permutation",
    "own_accuracies",
    "predict_logits",
    "recalibrate",
    "recombination_accuracy",
    "recombination_matrix",
    "some_images",
]
