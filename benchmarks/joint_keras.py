"""The round of `benchmarks.joint_setting` on Keras: our trainer, a bare step, or a plain `fit`.

    python -m benchmarks.joint_keras --program=trainer|guarded|bare|fit

It is a program that `benchmarks.turns` asks; `benchmarks.joint_round` starts it.

- trainer: `keras_compat.training.Trainer.fit`;
- guarded: the same with `StopOnNonFinite`, as the apps train;
- bare: a hand-written compiled step with the same mathematics, and nothing around it;
- fit: Keras' own `fit` of the networks one after the other, unsplit and without auxiliaries, with
  Keras' own batch normalization.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from functools import partial
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras

from benchmarks import joint_networks, turns
from benchmarks.joint_bare import BareStep
from benchmarks.joint_setting import BATCHES, WEIGHT_SEED, Setting, add_flags, setting
from keras_compat import networks
from keras_compat.data import Examples
from keras_compat.networks.normalizations import NORMALIZATIONS
from keras_compat.training import StopOnNonFinite

JIT = {"auto": "auto", "on": True, "off": False}
Program = tuple[Callable[[], dict[str, int]], Callable[[int], dict[str, Any]]]


@NORMALIZATIONS.register("keras_batch")
def keras_batch(name: str) -> keras.layers.Layer:
    """Keras' own batch normalization, set as ours is.

    Example:

    >>> keras_batch("norm").momentum
    0.9
    """
    return keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)


def trainer(chosen: Setting, jit: bool | str, guarded: bool = False) -> Program:
    """This package's trainer; tells the mean loss of the rounds."""
    model, data = joint_networks.make_trainer(chosen, jit)
    tasks = list(model.tasks.values())
    shown = joint_networks.shown(tasks, chosen.image_size)

    def work(rounds: int) -> dict[str, Any]:
        history = model.fit(
            data,
            batch_size=chosen.batch_size,
            steps_per_epoch=rounds,
            verbose=0,
            callbacks=[StopOnNonFinite()] if guarded else [],
        ).history
        return {"loss": float(history["loss"][-1])}

    return lambda: joint_networks.describe(joint_networks.parts(tasks), shown), work


def bare(chosen: Setting, jit: bool | str) -> Program:
    """The step alone, on minibatches drawn as the trainer draws them."""
    tasks = joint_networks.make_tasks(chosen)
    step = BareStep(tasks, jit is True, joint_networks.POLICIES[chosen.precision])
    data = [
        Examples(*chosen.data(i)).batches(chosen.batch_size, seed=i) for i in range(chosen.networks)
    ]
    done = 0

    def work(rounds: int) -> dict[str, Any]:
        nonlocal done
        losses = [
            step([batches[number] for batches in data]) for number in range(done, done + rounds)
        ]
        done += rounds
        return {"loss": sum(map(float, losses)) / rounds}

    shown = joint_networks.shown(tasks, chosen.image_size)
    return lambda: joint_networks.describe(joint_networks.parts(tasks), shown), work


def fit(chosen: Setting, jit: bool | str) -> Program:
    """Training of each network alone, as a user of Keras would write it."""
    size = chosen.image_size
    keras.config.set_dtype_policy(joint_networks.POLICIES[chosen.precision])
    models = [
        networks.build(
            "resnet20", (size, size, 3), classes, WEIGHT_SEED + i, f"n{i}", "keras_batch"
        )
        for i, classes in enumerate(chosen.classes)
    ]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for model in models:
        optimizer = joint_networks.make_optimizer()
        model.compile(optimizer, loss, metrics=["accuracy"], jit_compile=jit)
    data = [chosen.data(i) for i in range(chosen.networks)]

    def work(rounds: int) -> dict[str, Any]:
        for model, (images, labels) in zip(models, data, strict=True):
            epochs, rest = divmod(rounds, BATCHES)
            if epochs:
                model.fit(images, labels, chosen.batch_size, epochs, verbose=0)
            if rest:
                count = rest * chosen.batch_size
                model.fit(images[:count], labels[:count], chosen.batch_size, verbose=0)
        return {}

    return lambda: joint_networks.describe(models, [(model, size) for model in models]), work


PROGRAMS = {
    "trainer": trainer,
    "guarded": partial(trainer, guarded=True),
    "bare": bare,
    "fit": fit,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_flags(parser)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--program", choices=PROGRAMS, required=True)
    parser.add_argument("--jit", choices=JIT, default="auto", help="whether XLA compiles the step")
    args = parser.parse_args()
    turns.serve(*PROGRAMS[args.program](setting(args), JIT[args.jit]))


if __name__ == "__main__":
    main()
