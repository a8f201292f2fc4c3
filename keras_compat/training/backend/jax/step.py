"""The gradient step on JAX."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import jax
import keras


class BackendStep:
    """Turns a trainer's round into Keras' stateless `train_step` and `test_step` for JAX."""

    # What reading raises comes through as it is.
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
        """Returns the loss, its by-products and its gradients by the learnt variables.

        Assignments that `compute` makes to other variables (moving statistics, random state) are
        carried out of the differentiated function and made in the scope around it.
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
        """Returns minibatches as Keras shall read them."""
        return batches

    def state_scope(self) -> Any:
        """Returns the scope in which variables are made: on JAX, none is needed."""
        return nullcontext()

    def default_jit_compile(self) -> bool:
        """Says whether XLA is the faster one here: on JAX, always."""
        return True


def _stateless(step: Callable[[], Any], variables: Any, state: Any) -> tuple[Any, Any]:
    """Runs a step that reads and assigns variables as a function of their values."""
    pairs = [
        pair
        for group, values in zip(variables, state, strict=True)
        for pair in zip(group, values, strict=True)
    ]
    with keras.StatelessScope(state_mapping=pairs) as scope:
        logs = step()
    return logs, tuple([scope.get_current_value(v) for v in group] for group in variables)
