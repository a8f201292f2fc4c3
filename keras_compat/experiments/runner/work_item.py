"""The steps of a job: done in order or side by side, each once, and gathered at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import keras

from keras_compat.data.quiet_tensorflow import import_tensorflow
from keras_compat.errors import InputError
from keras_compat.experiments.runner.checkpointing import Resumption
from keras_compat.experiments.runner.item_folder import StepFolder
from keras_compat.experiments.runner.processes import work_in_processes
from keras_compat.experiments.runner.resume_options import CHECKPOINT_SECONDS
from keras_compat.experiments.runner.signals import told_of
from keras_compat.experiments.runner.terminal import RoundsBar, Terminal
from keras_compat.files import remove
from keras_compat.reporting import Run
from keras_compat.reporting.merging import add_maker
from keras_compat.reporting.records import Record, make_record
from keras_compat.training import NonFiniteLoss

Callbacks = Callable[[int], list[keras.callbacks.Callback]]
"""From a number of rounds to Keras callbacks for them."""

_MEASURE = "records"


class Step(Protocol):
    """What is told apart by its name, and done once."""

    @property
    def name(self) -> str:
        """Of its folder."""
        ...

    @property
    def kind(self) -> str:
        """Which of the job's kinds of work it is."""
        ...

    @property
    def seed(self) -> int:
        """Of weights, orders and augmentation."""
        ...

    @property
    def starts_from(self) -> Collection[str]:
        """The names of the steps that must be done before."""
        ...


AnyStep = TypeVar("AnyStep", bound=Step)


class Done(NamedTuple):
    """What a step leaves.

    Attributes:
        models: by the name of their file.
        records: what was measured.
        about: what else there is to say of the models.
    """

    models: Mapping[str, keras.Model]
    records: Sequence[Record] = ()
    about: Mapping[str, Any] = {}


def no_callbacks(rounds: int) -> list[keras.callbacks.Callback]:
    """Returns no callbacks: nothing is shown of the training."""
    return []


def is_done(step: Step, place: Path) -> bool:
    """Says whether a step has left what it should, or has failed."""
    folder = StepFolder(place / step.name)
    there = folder.made_by() is not None and folder.has(_MEASURE)
    return there or folder.failure() is not None


def do_step(
    kinds: Mapping[str, Callable[[Any, AnyStep, Path, Callbacks], Done]],
    settings: Callable[[Any, AnyStep], Mapping[str, Any]],
    fingerprints: Callable[[Any, AnyStep], Mapping[str, Any]],
    config: Any,
    place: Path,
    step: AnyStep,
    callbacks: Callbacks = no_callbacks,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> None:
    """Does a step, unless it is done, and keeps what it leaves; it goes on where it was.

    A loss that is not finite is the result of a step too: it is noted.

    Args:
        kinds: what does a step, by its kind: takes the settings of the run, the step, the folder
            of all steps and callbacks.
        settings: returns those that the weights of a step depend on.
        fingerprints: returns those of the images that it learns from, by name.
        config: the settings of the run.
        place: the folder of all steps.
        step: which one.
        callbacks: for its training.
        checkpoint_seconds: between two checkpoints of its training; 0 writes none.
    """
    # Keras loads it for files of models, on any backend: so without a word, and off its GPUs.
    with suppress(ImportError):
        import_tensorflow()
    if is_done(step, place):
        return
    folder = StepFolder(place / step.name)
    keras.utils.set_random_seed(step.seed)
    of_step, data = settings(config, step), fingerprints(config, step)
    resumption = Resumption(folder.checkpoints, checkpoint_seconds, of_step, data)
    start = time.perf_counter()
    try:
        # To the end of writing: should that fail, a checkpoint has what was trained.
        with resumption:
            done = kinds[step.kind](config, step, place, callbacks)
            duration = time.perf_counter() - start + resumption.earlier_s
            folder.save_records(_MEASURE, list(done.records))
            folder.save_models(done.models, duration, of_step, data, [_MEASURE], **done.about)
    except NonFiniteLoss as error:
        folder.save_failure(str(error))
        return
    resumption.forget()
    # Keras keeps what it made for a process; a run makes hundreds of networks.
    keras.backend.clear_session()


def done_before(place: Path, name: str) -> StepFolder:
    """Returns the folder of a step that another one starts from.

    Raises:
        NonFiniteLoss: if it failed.
    """
    folder = StepFolder(place / name)
    if folder.failure() is not None:
        raise NonFiniteLoss(f"what it starts from failed: {folder.failure()}")
    return folder


def do_all(
    steps: Sequence[AnyStep],
    place: Path,
    jobs: int,
    terminal: Terminal,
    work: Callable[..., None],
) -> None:
    """Does all steps that are not done yet.

    Args:
        steps: in an order in which each comes after those that it starts from.
        place: the folder of all steps.
        jobs: how many are worked on at a time, each in a process of its own.
        terminal: where progress is shown.
        work: takes a step, and optionally `callbacks` for its training; see `work_in_processes`.

    Raises:
        KeyboardInterrupt: with a message, where the user interrupted it.
    """
    place.mkdir(exist_ok=True)
    for unfinished in place.glob("*/.*.partial"):
        remove(unfinished)
    for step in steps:
        folder = StepFolder(place / step.name)
        folder.forget_failure()
        if is_done(step, place):
            # Of a process that was killed just before it did so.
            remove(folder.checkpoints)
    left = [step for step in steps if not is_done(step, place)]
    if len(left) < len(steps):
        terminal.line(f"{len(steps) - len(left)} of {len(steps)} steps are finished already")
    try:
        if jobs > 1:
            by_name = {step.name: step for step in left}
            work_in_processes(work, by_name, jobs, terminal, lambda step: step.starts_from)
            return
        for number, step in enumerate(left, start=1):
            terminal.line(f"({number}/{len(left)}) {step.name}")
            partial(work, callbacks=lambda rounds: [RoundsBar(rounds)])(step)
    except KeyboardInterrupt as error:
        done = sum(is_done(step, place) for step in steps)
        raise told_of(error, f"{done} of {len(steps)} steps") from None


def keep_valid(
    steps: Sequence[AnyStep],
    place: Path,
    settings: Callable[[AnyStep], Mapping[str, Any]],
    fingerprints: Callable[[AnyStep], Mapping[str, Any]],
    drop: bool,
) -> None:
    """Makes sure that the steps which are done already are those that the run would do.

    What is damaged of them is set aside, and done again.

    Args:
        steps: of the run.
        place: the folder of all steps.
        settings: that a step depends on, also by those that it starts from.
        fingerprints: of the images that it depends on, by name.
        drop: whether a step that was done otherwise is to be done again.

    Raises:
        InputError: if a step was done with other settings or images, unless it is to be dropped.
    """
    for step in steps:
        folder = StepFolder(place / step.name)
        folder.set_aside_damaged([_MEASURE])
        if folder.made_by() is None:
            continue
        try:
            folder.check(settings(step), fingerprints(step))
        except InputError:
            if not drop:
                raise
            remove(folder.path)


def gather(record: Run, steps: Sequence[Step], place: Path) -> None:
    """Adds what all steps left to the record of a run: figures, durations, what made them."""
    for step in steps:
        folder = StepFolder(place / step.name)
        made_by = folder.made_by()
        if made_by is not None:
            record.durations_s[step.name] = made_by["duration_s"]
            # A step may be from an earlier run, of other versions and on another machine.
            add_maker(record.made_by, made_by["versions"], made_by["hardware"], [step.name])
        if folder.has(_MEASURE):
            record.results += folder.load_records(_MEASURE)
        failure = folder.failure()
        if failure is not None:
            keys = {"step": step.name, "seed": step.seed, "message": failure}
            record.results.append(make_record("failure", 1, **keys))


def failures(steps: Sequence[Step], place: Path) -> dict[str, str]:
    """Returns the steps that failed, by name, with what happened."""
    found = {step.name: StepFolder(place / step.name).failure() for step in steps}
    return {name: message for name, message in found.items() if message is not None}


def without_result(failed: Mapping[str, str]) -> str:
    """Returns what to tell of the steps that failed."""
    told = "; ".join(f"{name} ({message})" for name, message in failed.items())
    return f"without a result: {told}"
