"""Small sets of pictures with some classes in common, for the tests of the analysis."""

from __future__ import annotations

import numpy as np

from keras_compat.experiments.compatibility_analysis.settings import Settings as Config
from keras_compat.experiments.settings import TrainingSettings as Training

ANIMALS = ("cat", "dog", "automobile", "frog")
THINGS = ("ship", "car", "dog", "cat")
MORE = ("truck", "dog", "bird", "cat", "horse")


def write_set(path, class_names, images=(48, 40), shape=(8, 8, 1), seed=0):
    """Writes an npz of noise whose brightness tells the class, and returns its spec."""
    generator = np.random.default_rng(seed)
    arrays = {"classes": np.array(class_names)}
    for split, count in zip(("train", "test"), images, strict=True):
        labels = np.arange(count) % len(class_names)
        # The same name looks the same in every set.
        level = np.array([sum(map(ord, name[:3])) % 160 for name in class_names])[labels]
        noise = generator.integers(0, 80, (count, *shape))
        arrays[f"x_{split}"] = (noise + level[:, None, None, None]).astype("uint8")
        arrays[f"y_{split}"] = labels
    np.savez(path, **arrays)
    return f"npz:{path}"


def make_config(folder, **changes):
    """Returns the settings of a run that takes seconds, on two sets written to a folder."""
    specs = (
        write_set(folder / "animals.npz", ANIMALS),
        write_set(folder / "things.npz", THINGS, seed=1),
    )
    how = Training(rounds=2, batch_size=16)
    usual = {
        "preset": "test",
        "datasets": specs,
        "image_size": 8,
        "architectures": ("resnet8:filters=4@stage2",),
        "training": how,
        "pretraining": how,
        "augment": False,
        "evaluation_batch_size": 20,
    }
    return Config(**{**usual, **changes})
