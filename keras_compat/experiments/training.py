"""Training of one stage, as its settings say."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_compat.experiments.settings import TrainingSettings

if TYPE_CHECKING:
    import keras

    from keras_compat.experiments.runner.checkpointing import Gathered
    from keras_compat.training import Trainer

# Not a setting: it changes nothing that is trained. The processes of a run inherit it.
_ASKED = "KERAS_COMPAT_PROFILE"


def train(
    trainer: Trainer,
    data: Mapping[str, Any],
    how: TrainingSettings,
    callbacks: Sequence[keras.callbacks.Callback],
    last_good: Path,
    stops: Sequence[int] = (),
    at_stop: Callable[[int], None] = lambda rounds: None,
    gathered: Gathered | None = None,
) -> None:
    """Trains a trainer for the rounds of a stage; an interrupted training goes on where it was.

    Args:
        trainer: Trainer with its tasks; it is compiled here.
        data: Data of each task, by the task's name.
        how: Settings of the stage.
        callbacks: Keras callbacks.
        last_good: File for the weights before a loss that was not finite; traces go to `profile`
            beside it.
        stops: Rounds after which training pauses, in order.
        at_stop: Function that gets the number of rounds at each of `stops`; the parts hold the
            weights of that round.
        gathered: Results that `at_stop` collects; they are kept with the weights.

    Raises:
        NonFiniteLoss: When a loss becomes NaN or infinite.
    """
    from keras_compat.experiments.runner.checkpointing import Stage
    from keras_compat.training import NonFiniteLoss, StopOnNonFinite

    stage = Stage(trainer, make_optimizer(how), asdict(how), gathered, how.precision)
    if stage.is_finished:
        return
    guard = StopOnNonFinite()
    # The trace ends first: what stops training leaves none open.
    first = [*_profile_callbacks(last_good.parent / "profile"), guard]
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


def make_optimizer(how: TrainingSettings) -> keras.optimizers.Optimizer:
    """Returns the Keras optimizer of a stage."""
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


def ask_for_profiles() -> None:
    """Lets every training of this run, in whatever process, write a trace of a few rounds."""
    os.environ[_ASKED] = "1"


def _profile_callbacks(folder: Path) -> list[keras.callbacks.Callback]:
    """Returns the callback that writes a trace, if the run was asked for it."""
    if os.environ.get(_ASKED) != "1":
        return []
    from keras_compat.training import ProfileRounds

    return [ProfileRounds(folder)]
