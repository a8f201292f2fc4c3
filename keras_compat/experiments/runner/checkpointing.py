"""Checkpoints within a work item, by which its trainings go on after an interruption."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np

from keras_compat.choices import FULL
from keras_compat.errors import InputError
from keras_compat.experiments.runner.forms import CheckpointState, checked
from keras_compat.experiments.runner.signals import round_by_round, told
from keras_compat.files import remove
from keras_compat.reporting.stored_settings import difference
from keras_compat.training import RoundOptimizer, StopOnNonFinite, Trainer
from keras_compat.training.checkpoints import Checkpoint, Checkpoints, pass_over
from keras_compat.training.state import OtherState, groups, read_state, write_state

# Of what is in a checkpoint; one of another is not used.
_FORMAT = 1
_GATHERED = "gathered/"


class Gathered(Protocol):
    """Collection of figures during a training, such as accuracies."""

    def state(self) -> tuple[Any, Mapping[str, np.ndarray]]:
        """Returns the collection: a value that JSON can hold, and arrays by name."""
        ...

    def restore(self, state: Any, arrays: Mapping[str, np.ndarray]) -> None:
        """Replaces the collection by a stored one."""
        ...


class Resumption:
    """Block of a work item in which `train` keeps checkpoints and goes on from them.

    All trainings of an item are numbered in their order, which is the same in every process. The
    weights that finished trainings left are kept too. If an interruption or an error ends the
    block, the last known state is written first. A checkpoint that cannot be written, as on a full
    disk, is a warning, and training goes on.

    Args:
        folder: Folder that is the checkpoints' alone.
        every_s: Seconds between two checkpoints. 0 writes none, and uses those that are there.
        settings: Settings that the weights depend on.
        data: Fingerprints of all images that the weights depend on, by name.

    Example:

    >>> import tempfile
    >>> with Resumption(Path(tempfile.mkdtemp()) / "checkpoints", 60, {"rounds": 9}, {}) as item:
    ...     pass  # calls of `train`
    >>> item.earlier_s  # nothing was there before
    0.0
    """

    def __init__(
        self, folder: Path, every_s: float, settings: Mapping[str, Any], data: Mapping[str, Any]
    ):
        self.every_s = every_s
        self.earlier_s = 0.0
        """Seconds that earlier processes spent on the trainings that go on here."""
        self._folder = folder
        made_of = {"settings": settings, "data": data, "backend": keras.backend.backend()}
        self._made_of = json.loads(json.dumps({"format": _FORMAT, **made_of}))
        self._stages = 0
        self._last = time.monotonic()
        # States that are known and not written yet.
        self._finished: list[tuple[Checkpoints, Checkpoint]] = []
        self._current: tuple[Checkpoints, Checkpoint] | None = None

    def __enter__(self) -> Resumption:
        self._token = _SCOPE.set(self)
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        _SCOPE.reset(self._token)
        if isinstance(error, Exception):
            # Such as an evaluation that fails after hours of training.
            self._write()
        if not isinstance(error, KeyboardInterrupt):
            return
        if self._write():
            said = "a checkpoint is written, and the same command goes on from it"
            raise type(error)(said) from None
        if self._folder.exists():
            raise type(error)("the same command goes on from the last checkpoint") from None

    def forget(self) -> None:
        """Removes all checkpoints, once the trained models are stored."""
        remove(self._folder)

    # For the stages ----------------------------------------------------------------------------

    def next_stage(self) -> Checkpoints:
        """Returns the checkpoints of the next training."""
        self._stages += 1
        return Checkpoints(self._folder / f"{self._stages:02d}")

    def made_of(self, how: Mapping[str, Any], tasks: Sequence[str]) -> dict[str, Any]:
        """Returns what a training depends on; its checkpoints must depend on the same."""
        return {**self._made_of, "training": json.loads(json.dumps(how)), "tasks": list(tasks)}

    @property
    def is_due(self) -> bool:
        """Whether it is time for a checkpoint."""
        return 0 < self.every_s <= time.monotonic() - self._last

    def know(self, checkpoints: Checkpoints, checkpoint: Checkpoint) -> None:
        """Keeps a state in memory, to be written at the end of the block or by `save`."""
        if self.every_s:
            self._current = (checkpoints, checkpoint)

    def save(self, checkpoints: Checkpoints, checkpoint: Checkpoint) -> None:
        """Writes a state, and before it those of finished trainings."""
        self.know(checkpoints, checkpoint)
        self._write()

    def finished(self, checkpoints: Checkpoints, checkpoint: Checkpoint) -> None:
        """Keeps the state that a training left, and writes it if a checkpoint is due."""
        if self.every_s:
            # Without it this training would be done again, though shortly, for a later one.
            self._finished.append((checkpoints, checkpoint))
            self._current = None
            if self.is_due:
                self._write()

    def _write(self) -> bool:
        """Writes the states in memory; says whether there were some and all were written."""
        self._last = time.monotonic()
        left = [*self._finished, *([self._current] if self._current else [])]
        try:
            if not self._folder.is_dir():
                remove(self._folder)
            for checkpoints, checkpoint in left:
                checkpoints.save(checkpoint)
                if self._finished:
                    self._finished.pop(0)
        except OSError as error:
            warnings.warn(
                f"no checkpoint could be written in {self._folder} ({error.strerror or error}); "
                "those before are kept, and training goes on",
                stacklevel=2,
            )
            return False
        self._current = None
        return bool(left)


_SCOPE: ContextVar[Resumption | None] = ContextVar("resumption", default=None)


class Stage:
    """One training of a work item, which goes on from its checkpoint within a `Resumption`."""

    def __init__(
        self,
        trainer: Trainer,
        optimizer: keras.optimizers.Optimizer,
        how: Mapping[str, Any],
        gathered: Gathered | None,
        precision: str = FULL,
    ):
        self.measured: list[int] = []
        """Stops whose figures are collected."""
        self.is_finished = False
        self._trainer = trainer
        self._gathered = gathered
        self._precision = precision
        self._earlier_s = 0.0
        self._scope = _SCOPE.get()
        goes_on = False
        if self._scope is not None:
            self._checkpoints = self._scope.next_stage()
            self._made_of = self._scope.made_of(how, list(trainer.tasks))
            goes_on = self._goes_on(optimizer)
        if not goes_on:
            trainer.compile(optimizer, precision=precision)
        self._begin = time.perf_counter()

    def _goes_on(self, optimizer: keras.optimizers.Optimizer) -> bool:
        """Loads the last checkpoint of this training; says whether there is one."""
        refused = False
        for path, found in self._checkpoints.newest_first():
            refused = True
            try:
                self._put_back(found, optimizer)
            except _OtherTraining as error:
                warnings.warn(
                    f"checkpoints in {self._checkpoints.folder} are of another training ({error}) "
                    "and are removed; it begins anew",
                    stacklevel=2,
                )
                break
            except (InputError, OtherState) as error:
                pass_over(path, error)
            else:
                return True
        if refused:
            self._checkpoints.clear()
        return False

    def _put_back(self, found: Checkpoint, optimizer: keras.optimizers.Optimizer) -> None:
        """Loads a checkpoint into trainer and collection; on an error both stay unchanged."""
        state = checked(found.state, CheckpointState, "state", "that of a training")
        if state["made_of"] != self._made_of:
            raise _OtherTraining(difference(state["made_of"], self._made_of))
        optimized = not state["is_finished"]
        own = {n: a for n, a in found.arrays.items() if not n.startswith(_GATHERED)}
        gathered = {n[len(_GATHERED) :]: found.arrays[n] for n in found.arrays.keys() - own.keys()}
        try:
            resumed = RoundOptimizer(optimizer, state["groups"])
            self._trainer.compile(resumed, precision=self._precision)
        except (KeyError, ValueError) as error:
            raise InputError(f"the optimizer's groups are others: {error}") from None
        weights = read_state(self._trainer, optimizer=False)
        before = None if self._gathered is None else self._gathered.state()
        try:
            write_state(self._trainer, own, optimizer=optimized)
            if optimized and self._trainer.rounds != state["rounds"]:
                raise InputError(
                    f"its optimizer has had {self._trainer.rounds} rounds, not {state['rounds']}"
                )
            if self._gathered is not None:
                _restore(self._gathered, state.get("gathered"), gathered)
        except (InputError, OtherState):
            write_state(self._trainer, weights, optimizer=False)
            if self._gathered is not None:
                self._gathered.restore(*before)
            raise
        self.measured = list(state["measured"])
        self.is_finished = state["is_finished"]
        self._earlier_s = state["seconds"]
        self._scope.earlier_s += self._earlier_s

    def callbacks(self, guard: StopOnNonFinite) -> list[keras.callbacks.Callback]:
        """Returns the callback that keeps checkpoints during `fit`, of finite states alone."""
        if self._scope is None or not self._scope.every_s:
            return []
        # Its model is a copy of the trainer if training is spread over devices.
        keeping = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: self._at_round(keeping.model, guard)
        )
        return [keeping]

    def _at_round(self, trainer: Trainer, guard: StopOnNonFinite) -> None:
        if told():
            guard.look()
            self._scope.know(self._checkpoints, self._checkpoint(trainer))
            raise KeyboardInterrupt
        if self._scope.is_due:
            guard.look()
            self._scope.save(self._checkpoints, self._checkpoint(trainer))

    @contextmanager
    def training(self) -> Iterator[None]:
        """Defers an interruption to the end of a round, if there are checkpoints."""
        if self._scope is None or not self._scope.every_s:
            yield
            return
        with round_by_round():
            yield

    def measure(self, stop: int, at_stop: Callable[[int], None]) -> None:
        """Collects figures at a stop; after an interruption the stop is repeated."""
        if self._scope is not None and self._scope.every_s:
            self._scope.know(self._checkpoints, self._checkpoint(self._trainer))
        at_stop(stop)
        self.measured.append(stop)

    def finish(self) -> None:
        """Notes that all rounds are done."""
        self.is_finished = True
        if self._scope is not None and self._scope.every_s:
            self._scope.finished(self._checkpoints, self._checkpoint(self._trainer))

    def _checkpoint(self, trainer: Trainer) -> Checkpoint:
        arrays = read_state(trainer, optimizer=not self.is_finished)
        state: dict[str, Any] = {
            "made_of": self._made_of,
            "rounds": trainer.rounds,
            "groups": [] if self.is_finished else groups(trainer),
            "measured": self.measured,
            "is_finished": self.is_finished,
            "seconds": self._earlier_s + time.perf_counter() - self._begin,
        }
        if self._gathered is not None:
            state["gathered"], gathered = self._gathered.state()
            arrays |= {f"{_GATHERED}{name}": array for name, array in gathered.items()}
        # A copy: the collection goes on to grow.
        return Checkpoint(arrays, json.loads(json.dumps(state)))


class _OtherTraining(Exception):
    """Error: a checkpoint is of other settings, images or tasks."""


def _restore(gathered: Gathered, state: Any, arrays: Mapping[str, np.ndarray]) -> None:
    """Loads a stored collection; raises an `InputError` if it is of another form."""
    try:
        gathered.restore(state, arrays)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        told = f"{type(error).__name__}: {error}"
        raise InputError(f"what was gathered is of another form ({told})") from None
