"""The round of joint training that every program of `benchmarks.joint_round` times.

Plain Python and NumPy, for the interpreter that has PyTorch as well as for ours.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np

ARCHITECTURE, BLOCKS = "resnet20@stage2", 3
FILTERS = (16, 32, 64)
COMMON, ANGLES = 9, 4
LEARNING_RATE, EPSILON, WEIGHT_SEED = 1e-2, 1e-7, 0
BATCHES = 10
PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class Setting:
    """Networks that learn together with a shared rotation head and a shared head of common classes.

    Args:
        networks: Number of networks; they classify 10 and 9 classes in turn.
        image_size: pixels a side of colour images.
        batch_size: images of each network a round.
        precision: Precision of convolutions, `"float32"` or `"bfloat16"`.
    """

    networks: int = 2
    image_size: int = 32
    batch_size: int = 128
    precision: str = "float32"

    @property
    def classes(self) -> list[int]:
        """Number of classes of each network."""
        return [10 - i % 2 for i in range(self.networks)]

    @property
    def images_per_round(self) -> int:
        """Minibatches of all networks, each image counted once."""
        return self.networks * self.batch_size

    def data(self, network: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns images uint8 `[N, S, S, 3]` and labels int32 `[N]`: `BATCHES` minibatches."""
        random = np.random.default_rng(network)
        count = BATCHES * self.batch_size
        shape = (count, self.image_size, self.image_size, 3)
        labels = random.integers(0, self.classes[network], count).astype("int32")
        # Brightness tells the class: there is something to learn.
        images = random.integers(0, 156, shape) + 10 * labels[:, None, None, None]
        return images.astype("uint8"), labels

    def rows(self, network: int, number: int) -> np.ndarray:
        """Returns the rows of a round's minibatch, as `keras_compat`'s trainer draws them."""
        epoch, place = divmod(number, BATCHES)
        order = np.random.default_rng([network, epoch]).permutation(BATCHES * self.batch_size)
        return order[place * self.batch_size : (place + 1) * self.batch_size]


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of a setting."""
    parser.add_argument("--networks", type=int, default=2, help="that learn together (2)")
    parser.add_argument("--image_size", type=int, default=32, help="pixels a side (32)")
    parser.add_argument("--batch_size", type=int, default=128, help="images a network (128)")


def setting(flags: argparse.Namespace, precision: str | None = None) -> Setting:
    """Returns the setting that flags ask for."""
    return Setting(flags.networks, flags.image_size, flags.batch_size, precision or flags.precision)


def as_flags(chosen: Setting) -> list[str]:
    """Returns a setting as the flags of a program."""
    return [f"--{name}={value}" for name, value in vars(chosen).items()]
