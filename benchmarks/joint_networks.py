"""The networks of `benchmarks.joint_setting` in Keras, as tasks of the trainer."""

from __future__ import annotations

import math
from pathlib import Path

import keras
import numpy as np

from benchmarks.joint_setting import (
    ANGLES,
    ARCHITECTURE,
    COMMON,
    EPSILON,
    FILTERS,
    LEARNING_RATE,
    WEIGHT_SEED,
    Setting,
)
from keras_compat import networks
from keras_compat.auxiliary import CommonClasses, RotationPrediction
from keras_compat.networks.graph import trace
from keras_compat.training import AuxiliaryHead, Task, Trainer

# Keras' names of the precisions of a setting.
POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


def make_tasks(setting: Setting) -> list[Task]:
    """Builds networks and shared heads; angles follow from places, so that nothing is random."""
    size = (setting.image_size, setting.image_size, 3)

    def head(classes: int, seed: int, name: str) -> keras.Model:
        return networks.build_head(
            ARCHITECTURE, input_channels=FILTERS[1], classes=classes, seed=seed, name=name
        )

    rotation = head(ANGLES, WEIGHT_SEED + 100, "rotation_head")
    common = head(COMMON, WEIGHT_SEED + 200, "common_head")
    tasks = []
    for i, classes in enumerate(setting.classes):
        extractor = networks.build_extractor(
            ARCHITECTURE, size, interface_channels=None, seed=WEIGHT_SEED + i, name=f"extractor_{i}"
        )
        auxiliaries = [
            AuxiliaryHead(RotationPrediction("cyclic"), rotation),
            AuxiliaryHead(CommonClasses(range(COMMON), classes), common),
        ]
        tasks.append(
            Task(f"n{i}", extractor, head(classes, WEIGHT_SEED + i, f"head_{i}"), auxiliaries)
        )
    return tasks


def make_optimizer() -> keras.optimizers.Optimizer:
    """Returns Adam."""
    return keras.optimizers.Adam(LEARNING_RATE, epsilon=EPSILON)


def make_trainer(setting: Setting, jit_compile: bool | str = "auto") -> tuple[Trainer, dict]:
    """Returns this package's trainer and its data."""
    trainer = Trainer(make_tasks(setting))
    precision = POLICIES[setting.precision]
    trainer.compile(make_optimizer(), jit_compile=jit_compile, precision=precision)
    return trainer, {f"n{i}": setting.data(i) for i in range(setting.networks)}


def parts(tasks: list[Task]) -> list[keras.Model]:
    """Returns extractors, heads, the rotation head and the head of common classes."""
    shared = [held.head for held in tasks[0].auxiliaries]
    return [*(t.extractor for t in tasks), *(t.head for t in tasks), *shared]


def write_weights(setting: Setting, file: Path) -> None:
    """Writes the initial weights: arrays in the order of the layers, part after part."""
    weights = [
        np.asarray(variable.value)
        for part in parts(make_tasks(setting))
        for variable in part.trainable_variables
    ]
    np.savez(file, *weights)


def describe(models: list[keras.Model], shown: list[tuple[keras.Model, int]]) -> dict[str, int]:
    """Returns how many numbers are learnt, and the multiply-adds of a round's forward passes.

    Args:
        models: all parts.
        shown: Models that a round calls, each with the size of the images or features it takes.
    """
    learnt = [v for model in models for v in model.trainable_variables]
    return {
        "parameters": sum(math.prod(v.shape) for v in learnt),
        "multiply_adds": sum(multiply_adds(model, size) for model, size in shown),
    }


def shown(tasks: list[Task], image_size: int) -> list[tuple[keras.Model, int]]:
    """Returns what a round calls: an extractor twice, and three heads, for each network."""
    features = image_size // 2
    calls = []
    for task in tasks:
        heads = [task.head, *(held.head for held in task.auxiliaries)]
        calls += [(task.extractor, image_size)] * 2 + [(head, features) for head in heads]
    return calls


def multiply_adds(model: keras.Model, size: int) -> int:
    """Counts the multiply-adds of convolutions and dense layers for one image."""
    inputs = keras.Input((size, size, model.input_shape[-1]))
    calls = trace(keras.Model(inputs, model(inputs))).calls
    return sum(
        math.prod(call.operation.kernel.shape) * math.prod(call.outputs[0].shape[1:-1])
        for call in calls
        if hasattr(call.operation, "kernel")
    )
