"""Small prepared TFDS data sets that tests write themselves."""

from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

NAMES = ("cat", "dog", "emu")


IMAGE_AND_LABEL = {
    "image": tfds.features.Image(shape=(12, 10, 3)),
    "label": tfds.features.ClassLabel(names=NAMES),
}


def picture(number: int, shape: tuple[int, int, int] = (12, 10, 3)) -> np.ndarray:
    image = np.random.default_rng(number).integers(0, 256, shape, np.uint8)
    image[0, 0, 0] = number
    return image


def examples(count: int, first: int = 0, shape=(12, 10, 3), label=lambda i: i % 3) -> list[dict]:
    return [
        {"name": f"{i}", "image": picture(first + i, shape), "label": label(i)}
        for i in range(count)
    ]


def prepare(folder: Path, name: str, splits: dict[str, list[dict]], **changes) -> None:
    """Writes `folder/name/1.0.0` with TFDS' own writer."""
    features = {"name": tfds.features.Text(), **IMAGE_AND_LABEL, **changes}
    features = tfds.features.FeaturesDict({k: v for k, v in features.items() if v is not None})
    tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version="1.0.0",
        features=features,
        split_datasets={
            split: [
                (key, {k: v for k, v in row.items() if k in features})
                for key, row in enumerate(rows)
            ]
            for split, rows in splits.items()
        },
        data_dir=folder,
        disable_shuffling=False,
    )
