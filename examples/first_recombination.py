"""Trains two digit classifiers, exchanges their heads, and plots the accuracy of every pair.

Two networks learn two sets of handwritten digits, first each alone, then by IIW+DCC+RP: from
identical initial weights, with one head for the common classes and one that predicts rotation.

Run it in a clone of the repository: python -m examples.first_recombination [FOLDER]
"""

# %% Choose the folder for the picture
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/examples")
folder.mkdir(parents=True, exist_ok=True)

# %% Load two data sets of 16 x 16 pixels; both come with Python packages
import keras

from keras_compat import data, evaluation, networks
from keras_compat.auxiliary import CommonClasses, RotationPrediction
from keras_compat.training import AuxiliaryHead, Task, Trainer

sets = {name: data.load(name, image_size=16) for name in ("digits", "mnist5k")}
shape = sets["digits"].image_shape
ARCHITECTURE = "resnet8@stage2"


# %% Build a network for each data set: an extractor and a head
def build_networks(identical_weights):
    """Returns the extractors and the heads, by the name of their data set."""
    seeds = (1, 1) if identical_weights else (1, 2)
    extractors, heads = {}, {}
    for name, seed in zip(sets, seeds, strict=True):
        extractors[name] = networks.build_extractor(ARCHITECTURE, shape, seed=seed, name=name)
        heads[name] = networks.build_head(
            ARCHITECTURE, classes=10, seed=10 + seed, name=f"{name}_head"
        )
    return extractors, heads


# %% Train them, with auxiliary heads that both extractors share or without
def train(extractors, heads, compatible):
    """Trains both networks in one loop, a minibatch of each in turn."""
    shared = []
    if compatible:
        tasks = (CommonClasses(common=range(10), classes=10), RotationPrediction(seed=0))
        shared = [
            AuxiliaryHead(
                task,
                networks.build_head(ARCHITECTURE, classes=task.outputs, seed=20, name=task.name),
            )
            for task in tasks
        ]
    tasks = [Task(name, extractors[name], heads[name], shared) for name in sets]
    trainer = Trainer(tasks, seed=0)
    trainer.compile(keras.optimizers.Adam(3e-3))
    trainer.fit(
        {name: dataset.train for name, dataset in sets.items()},
        batch_size=64,
        steps_per_epoch=200,
        verbose=0,
    )


# %% Put every extractor before every head
def measure(extractors, heads):
    """Returns the accuracy of each extractor (row) with each head (column), on its own images."""
    return [
        [
            evaluation.recombination_accuracy(extractors[row], heads[column], sets[row].test)
            for column in sets
        ]
        for row in sets
    ]


found = {}
for title, compatible in (("independent", False), ("IIW+DCC+RP", True)):
    extractors, heads = build_networks(identical_weights=compatible)
    train(extractors, heads, compatible)
    found[title] = measure(extractors, heads)
    for name, row in zip(sets, found[title], strict=True):
        shown = ", ".join(f"{head}: {value:.1%}" for head, value in zip(sets, row, strict=True))
        print(f"{title}, extractor of {name}, with the head of {shown}")

# %% Plot the pairs
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 2, figsize=(7.5, 3.6), layout="constrained")
for axis, (title, matrix) in zip(axes, found.items(), strict=True):
    axis.imshow(matrix, vmin=0, vmax=1, cmap="Blues")
    axis.set_title(title)
    axis.set_xticks(range(2), [f"head of\n{name}" for name in sets])
    axis.set_yticks(range(2), [f"extractor\nof {name}" for name in sets])
    for row in range(2):
        for column in range(2):
            value = matrix[row][column]
            colour = "white" if value > 0.6 else "black"
            axis.text(column, row, f"{value:.1%}", ha="center", va="center", color=colour)
figure.savefig(folder / "first_recombination.png", dpi=150)
print(f"The picture is {folder / 'first_recombination.png'}")
