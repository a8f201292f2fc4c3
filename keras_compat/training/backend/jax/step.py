"""The gradient step on JAX."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import jax
import keras


class BackendStep:
    """Turns a trainer's round into Keras' stateless `train_step` and `test_step` for JAX."""

    # Errors of reading come through unchanged.
    errors_of_reading = ()

    def train_step(self, state: Any, data: Any, number: int = 0) -> tuple[Any, Any]:
        variables = (
            self.trainable_variables,
            self.non_trainable_variables,
            self.optimizer.variables,
            self.metrics_variables,
        )
        return _stateless(lambda: self.train_round(data, number), variables, state)

    def test_step(self, state: Any, data: Any) -> tuple[Any, Any]:
        variables = (self.trainable_variables, self.non_trainable_variables, self.metrics_variables)
        return _stateless(lambda: self.test_round(data), variables, state)

    def gradients(
        self, compute: Callable[[], tuple[Any, Any]], learnt: list[keras.Variable]
    ) -> tuple[Any, Any, list[Any]]:
        """Returns the loss, the other results of `compute` and the gradients of the variables.

        `compute` may assign other variables (moving statistics, random state). The differentiated
        function returns their values, which are then assigned in the scope around it.
        """
        passed = {id(v) for v in [*learnt, *self.metrics_variables]}
        others = [v for v in self.variables if id(v) not in passed]

        def loss_of(values: list[Any], other_values: list[Any]) -> tuple[Any, Any]:
            pairs = [*zip(learnt, values, strict=True), *zip(others, other_values, strict=True)]
            with keras.StatelessScope(state_mapping=pairs) as scope:
                loss, extra = compute()
            return loss, (extra, [scope.get_current_value(v) for v in others])

        values, other_values = [v.value for v in learnt], [v.value for v in others]
        (loss, (extra, updated)), gradients = jax.value_and_grad(loss_of, has_aux=True)(
            values, other_values
        )
        for variable, value in zip(others, updated, strict=True):
            variable.assign(value)
        return loss, extra, gradients

    @staticmethod
    def as_input(batches: Any) -> Any:
        """Returns minibatches in the form that Keras reads."""
        return batches

    def state_scope(self) -> Any:
        """Returns the scope for making variables, which JAX does not need."""
        return nullcontext()

    def default_jit_compile(self) -> bool:
        """Returns whether XLA makes a round faster, always true on JAX."""
        return True


def fastest(cls: type[keras.optimizers.Optimizer], config: dict[str, Any]) -> type:
    """Returns an optimizer's own class, since XLA makes the fastest form of it."""
    return cls


def _stateless(step: Callable[[], Any], variables: Any, state: Any) -> tuple[Any, Any]:
    """Runs a step that reads and assigns variables, as a function of their values."""
    pairs = [
        pair
        for group, values in zip(variables, state, strict=True)
        for pair in zip(group, values, strict=True)
    ]
    with keras.StatelessScope(state_mapping=pairs) as scope:
        logs = step()
    return logs, tuple([scope.get_current_value(v) for v in group] for group in variables)
