"""Training of the baselines that learn, with plain Keras."""

from __future__ import annotations

from typing import Any

import keras

from keras_compat.data import Examples, StreamedExamples
from keras_compat.evaluation.baselines.base import LEARNING_RATE, TRAINING_BATCH
from keras_compat.training.trainer import BackendStep


def learn(
    network: keras.Model,
    examples: Examples | StreamedExamples,
    steps: int,
    seed: int,
    loss: Any = None,
) -> None:
    """Trains a network with Adam and a cosine schedule of the learning rate.

    Args:
        network: Model from images; its frozen layers stay unchanged.
        loss: Loss of Keras; by default the cross-entropy of logits.
    """
    network.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)),
        loss=loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=BackendStep().default_jit_compile(),
    )
    batches = BackendStep.as_input(examples.batches(TRAINING_BATCH, seed))
    network.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=0)
