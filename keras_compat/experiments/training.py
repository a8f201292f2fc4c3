"""How one stage of a job trains, as the paper's Appendix C would say it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_compat.choices import (
    FULL,
    GLOBAL,
    OPTIMIZERS,
    PRECISIONS,
    SCHEDULES,
    STATISTICS_OVER,
    check_choice,
)
from keras_compat.errors import InputError
from keras_compat.experiments.profiling import profile_callbacks

if TYPE_CHECKING:
    import keras

    from keras_compat.experiments.runner.checkpointing import Gathered
    from keras_compat.training import Trainer


@dataclass(frozen=True)
class Training:
    """How one stage trains.

    Args:
        rounds: steps of each task.
        batch_size: examples of each task a step.
        learning_rate: the highest.
        schedule: `"steps"` divides by ten at each of `drops`; `"cosine"` falls to zero.
        drops: rounds at which the rate drops.
        weight_decay: decoupled, as Keras' optimizers apply it: times the learning rate.
        optimizer: `"adam"` or `"sgd"` (momentum 0.9).
        precision: what is computed in: `"float32"`, `"mixed_bfloat16"` or `"mixed_float16"`. What
            it leaves are float32 networks in any case, see `keras_compat.training.Precision`.
        batch_statistics_over: what normalization sees where several devices train: the `"global"`
            batch, or the part of each `"device"`.
    """

    rounds: int
    batch_size: int = 128
    learning_rate: float = 1e-3
    schedule: str = "steps"
    drops: tuple[int, ...] = ()
    weight_decay: float = 0.0
    optimizer: str = "adam"
    precision: str = FULL
    batch_statistics_over: str = GLOBAL

    def __post_init__(self) -> None:
        for name in ("rounds", "batch_size", "learning_rate"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(
                    f"{name} is {getattr(self, name)}; expected a finite number above 0"
                )
        check_choice("schedule", self.schedule, SCHEDULES)
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        check_choice("precision", self.precision, PRECISIONS)
        check_choice("value of batch_statistics_over", self.batch_statistics_over, STATISTICS_OVER)


APPENDIX_C = Training(
    rounds=20_000,
    batch_size=512,
    learning_rate=1e-2,
    drops=(5_000, 10_000, 15_000),
    weight_decay=1e-7,
)
"""How the paper trains: Adam, the learning rate divided by ten every 5,000 of 20,000 steps."""


def train(
    trainer: Trainer,
    data: Mapping[str, Any],
    how: Training,
    callbacks: Sequence[keras.callbacks.Callback],
    last_good: Path,
    stops: Sequence[int] = (),
    at_stop: Callable[[int], None] = lambda rounds: None,
    gathered: Gathered | None = None,
    profiles: Path | None = None,
) -> None:
    """Trains for the rounds that are asked for; within a `Resumption`, goes on where it was.

    Args:
        trainer: with its tasks; it is compiled here.
        data: of each task.
        how: optimizer, rounds and batch size.
        callbacks: of Keras.
        last_good: the file for the weights before a loss that was not finite.
        stops: rounds after which training pauses, in order.
        at_stop: is called with the number of rounds at each of them; the parts hold the weights of
            that round.
        gathered: what `at_stop` collects: it is kept with the weights.
        profiles: the folder for traces, where the run was asked for them; by default `profile`
            beside `last_good`.

    Raises:
        NonFiniteLoss: when a loss becomes NaN or infinite.
    """
    from keras_compat.experiments.runner.checkpointing import Stage
    from keras_compat.training import NonFiniteLoss, StopOnNonFinite

    stage = Stage(trainer, make_optimizer(how), asdict(how), gathered, how.precision)
    if stage.is_finished:
        return
    guard = StopOnNonFinite()
    # The trace ends first: what stops training leaves none open.
    first = [*profile_callbacks(profiles or last_good.parent / "profile"), guard]
    try:
        for stop in dict.fromkeys([*stops, how.rounds]):
            if trainer.rounds < stop:
                with stage.training():
                    trainer.fit(
                        data,
                        batch_size=how.batch_size,
                        steps_per_epoch=stop - trainer.rounds,
                        verbose=0,
                        callbacks=[*first, *callbacks, *stage.callbacks(guard)],
                    )
            if stop in stops and stop not in stage.measured:
                stage.measure(stop, at_stop)
        stage.finish()
    except NonFiniteLoss as error:
        try:
            last_good.parent.mkdir(parents=True, exist_ok=True)
            trainer.save(last_good)
        except OSError as failed:
            why = failed.strerror or failed
            raise NonFiniteLoss(f"{error}, but cannot be written to {last_good}: {why}") from None
        raise NonFiniteLoss(f"{error}; they are in {last_good}") from None


def make_optimizer(how: Training) -> keras.optimizers.Optimizer:
    """Returns the Keras optimizer that a stage asks for."""
    import keras

    if how.schedule == "cosine":
        rate: Any = keras.optimizers.schedules.CosineDecay(how.learning_rate, how.rounds)
    elif how.drops:
        rates = [how.learning_rate / 10**i for i in range(len(how.drops) + 1)]
        rate = keras.optimizers.schedules.PiecewiseConstantDecay(list(how.drops), rates)
    else:
        rate = how.learning_rate
    decay = how.weight_decay or None
    if how.optimizer == "sgd":
        return keras.optimizers.SGD(rate, momentum=0.9, weight_decay=decay)
    return keras.optimizers.Adam(rate, weight_decay=decay)
