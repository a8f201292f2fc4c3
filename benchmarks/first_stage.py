"""The first stage of classifier transfer, for the benchmarks that time a part of it."""

from __future__ import annotations

from keras_compat.auxiliary import RotationPrediction
from keras_compat.data import ImageDataset
from keras_compat.experiments.classifier_transfer.build import build_extractor, build_head
from keras_compat.experiments.classifier_transfer.settings import Settings as Config
from keras_compat.layers import Augmentation
from keras_compat.training import AuxiliaryHead, Task, Trainer


def first_stage(config: Config, dataset: ImageDataset, classes: int) -> Trainer:
    """Returns a trainer of all extractors with one head, and a rotation head if there is one."""
    head = build_head(config, dataset, classes, "head", 0)
    held = []
    if "rotation" in config.auxiliaries:
        rotation_head = build_head(config, dataset, 4, "rotation_head", 1)
        held = [AuxiliaryHead(RotationPrediction(seed=0), rotation_head)]
    tasks = [
        Task(
            name,
            build_extractor(config, dataset, name, seed),
            head,
            held,
            augmentation=Augmentation.for_dataset(dataset, seed=seed),
        )
        for seed, name in enumerate(config.extractors)
    ]
    return Trainer(tasks)
