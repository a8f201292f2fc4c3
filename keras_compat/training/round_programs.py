"""The compiled programs of a trainer, one for each kind of round."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras

from keras_compat.training.task import Task

# The longest period after which the kinds of rounds may repeat.
_MOST_ROUNDS = 1_000


class RoundPrograms:
    """Runs the program of each round, in which the auxiliaries of that round take part.

    Auxiliaries that take part in every k-th round (`AuxiliaryHead.every`) make several kinds of
    rounds. Each kind has a program of its own, compiled at its first round, so a round without
    auxiliaries costs no more than without them. The number of the next round is counted here, so
    nothing is read from the device.

    Raises:
        ValueError: One call is to run several rounds that are of several kinds, or the kinds of
            rounds repeat after too many.
    """

    def __init__(self, tasks: Sequence[Task], steps_per_execution: int = 1):
        self._period = math.lcm(*(held.every for task in tasks for held in task.auxiliaries))
        if self._period > 1 and steps_per_execution > 1:
            raise ValueError(
                f"steps_per_execution is {steps_per_execution}, and auxiliaries take part in some "
                "rounds only; expected 1, or auxiliaries with every=1"
            )
        if self._period > _MOST_ROUNDS:
            raise ValueError(
                f"auxiliaries take part in rounds that repeat after {self._period}; expected at "
                f"most {_MOST_ROUNDS}: give them values of `every` that divide each other"
            )
        kinds = [
            tuple(number % held.every == 0 for task in tasks for held in task.auxiliaries)
            for number in range(self._period)
        ]
        # The first round of the same kind, by the place of a round in the period.
        self._kinds = [kinds.index(kind) for kind in kinds]
        self._next = 0

    @property
    def all_alike(self) -> bool:
        """Whether all rounds are of one kind."""
        return self._period == 1

    def compiled(self, compile_round: Callable[[int], Callable[..., Any]]) -> Callable[..., Any]:
        """Returns a function that runs the next round.

        Args:
            compile_round: A function from the number of a round to the program of its kind.
        """
        programs = {number: compile_round(number) for number in dict.fromkeys(self._kinds)}
        if self.all_alike:
            return programs[0]

        def train_function(*arguments: Any) -> Any:
            program = programs[self._kinds[self._next % self._period]]
            self._next += 1
            return program(*arguments)

        return train_function

    def go_to(self, number: int) -> None:
        """Sets the number of the next round."""
        self._next = number

    def rounds_by_variable(self, task: Task) -> dict[int, tuple[int, ...]]:
        """Returns the kinds of rounds in which a task updates each variable, by its id."""
        found: dict[int, tuple[int, ...]] = {}
        for number in dict.fromkeys(self._kinds):
            variables: list[keras.Variable] = task.learnt_variables(task.auxiliaries_of(number))
            for variable in variables:
                found[id(variable)] = (*found.get(id(variable), ()), number)
        return found
