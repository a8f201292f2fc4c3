"""The optimizer of a round, in which parts take different numbers of steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_compat.errors import InputError
from keras_compat.training.backend import fastest
from keras_compat.training.loss_scale import GROWTH_STEPS, INITIAL_SCALE, LossScale


@dataclass
class _Group:
    """Variables that are always updated together, with the optimizer that holds their state.

    Attributes:
        averages: Averages of the variables over time; empty without `use_ema`.
    """

    addresses: list[str]
    variables: list[keras.Variable]
    optimizer: keras.optimizers.Optimizer
    averages: list[keras.Variable]


@dataclass
class _Sums:
    """Sums of gradients since a task's last step, by task and address."""

    variables: dict[tuple[str, str], keras.Variable] = field(default_factory=dict)


@keras.saving.register_keras_serializable("keras_compat")
class RoundOptimizer(keras.optimizers.Optimizer):
    """Makes any Keras optimizer right for alternating tasks (paper Sec. 3.4).

    In a round every task takes one step, so a shared head takes as many steps as there are tasks,
    and an extractor takes one. The learning rate follows the rounds. The counts within an
    optimizer (Adam's bias correction) follow the updates of each variable. A variable has one
    state, however many tasks update it. Frozen variables keep their state. With `scale_losses`
    each task has a loss scale of its own, see `LossScale`. With `gradient_accumulation_steps`
    each task takes one step every so many rounds, by the mean of its own gradients. Averages of
    weights (`use_ema`) count the updates of each variable.

    `iterations` counts rounds. `learning_rate` is a schedule over rounds, or a number that
    callbacks may change.

    Args:
        optimizer: The Keras optimizer to use, its learning rate and weight decay included. A
            `keras.optimizers.LossScaleOptimizer` stands for its inner optimizer, and for its scale
            in every task.
        groups: Addresses of variables by group, from a saved optimizer's configuration.
        sums: Pairs of task and address whose gradients are summed, from the same configuration.

    Raises:
        InputError: The optimizer wraps others, other than for loss scaling.

    Example:

    >>> import keras
    >>> extractor, head = keras.Variable([1.0]), keras.Variable([1.0])
    >>> optimizer = RoundOptimizer(keras.optimizers.SGD(0.5))
    >>> optimizer.track([{"extractor/0": extractor}, {"head/0": head}])
    >>> optimizer.update([keras.ops.ones(1), keras.ops.ones(1)], [extractor, head])
    >>> optimizer.update([keras.ops.ones(1)], [head])
    >>> optimizer.end_round()
    >>> float(extractor[0]), float(head[0]), int(optimizer.iterations)
    (0.5, 0.0, 1)
    """

    def __init__(
        self,
        optimizer: keras.optimizers.Optimizer,
        groups: Sequence[Sequence[str]] = (),
        sums: Sequence[Sequence[str]] = (),
        name: str = "round_optimizer",
    ):
        scaling: tuple[float, int] | None = None
        if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            scaling = (optimizer.initial_scale, optimizer.dynamic_growth_steps)
            optimizer = optimizer.inner_optimizer
        config = optimizer.get_config()
        if "learning_rate" not in config:
            raise InputError(
                f"optimizer {type(optimizer).__name__}; expected one with a learning rate of its "
                "own: wrappers but loss scaling are not supported"
            )
        rate = config["learning_rate"]
        # A schedule, or any function.
        rate = optimizer._learning_rate if isinstance(rate, dict) else rate
        super().__init__(learning_rate=rate, name=name)
        self._scaling = scaling
        # A group sees a part of a task's gradients, so these settings, which need all of them, are
        # applied here. Keras reads `use_ema` for a message.
        self._norm_limit = config.get("global_clipnorm")
        self._accumulated_steps = config.get("gradient_accumulation_steps")
        self.loss_scale_factor = config.get("loss_scale_factor")
        self.use_ema = config.get("use_ema", False)
        self.ema_momentum = config.get("ema_momentum")
        self.ema_overwrite_frequency = config.get("ema_overwrite_frequency")
        done_here = {"global_clipnorm", "gradient_accumulation_steps", "loss_scale_factor"}
        own = {**config, **dict.fromkeys(done_here & set(config))}
        self._inner = (type(optimizer), {**own, "use_ema": False} if "use_ema" in own else own)
        self._inner_config = keras.optimizers.serialize(optimizer)
        self._not_decayed = getattr(optimizer, "_exclude_from_weight_decay_pattern", None)
        self._not_decayed_keys = getattr(optimizer, "_exclude_from_weight_decay", None)
        self._saved_groups = [list(group) for group in groups]
        # This optimizer saves the variables of its groups itself, in an order that does not depend
        # on attribute names. A dataclass hides the groups' optimizers from Keras' own saving.
        self._groups: list[_Group] = []
        self._saved_sums = [list(pair) for pair in sums]
        self._sums = _Sums()
        self._tracked: set[str] = set()
        self._loss_scales: dict[str, LossScale] = {}
        self.built = True

    # State -----------------------------------------------------------------------------------

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Does nothing, since `track` makes the state when the parts of the variables are known."""

    def restore(self, variables: dict[str, keras.Variable]) -> None:
        """Makes the state of the groups in a saved configuration, in their order.

        Args:
            variables: Every variable of the model by its address.
        """
        for addresses in self._saved_groups:
            self._groups.append(self._new_group({a: variables[a] for a in addresses}))
        for task, address in self._saved_sums:
            self._add_sum(task, address, variables[address])
        self._saved_groups = self._saved_sums = []

    def track(
        self,
        groups: Sequence[dict[str, keras.Variable]],
        tasks: Mapping[str, Sequence[keras.Variable]] | None = None,
    ) -> None:
        """Makes the state of every variable that has none yet.

        Args:
            groups: Variables to update, grouped by the tasks that update them, by an address that
                is the same when the model is saved and loaded.
            tasks: Variables that each task updates; needed to sum gradients.
        """
        self._tracked = {address for wanted in groups for address in wanted}
        for wanted in groups:
            for group in list(self._groups):
                chosen = [address for address in group.addresses if address in wanted]
                if chosen and len(chosen) < len(group.addresses):
                    self._split(group, chosen)
            tracked = {address for group in self._groups for address in group.addresses}
            new = {a: v for a, v in wanted.items() if a not in tracked}
            if new:
                self._groups.append(self._new_group(new))
        if self.accumulates:
            addresses = {id(v): a for wanted in groups for a, v in wanted.items()}
            for task, variables in (tasks or {}).items():
                for variable in variables:
                    self._add_sum(task, addresses[id(variable)], variable)

    def _add_sum(self, task: str, address: str, variable: keras.Variable) -> None:
        if (task, address) not in self._sums.variables:
            made = self.add_variable_from_reference(variable, f"{task}_gradients")
            self._sums.variables[task, address] = made

    @property
    def accumulates(self) -> bool:
        """Whether the gradients of several rounds make one step."""
        return self._accumulated_steps is not None

    @property
    def asks_for_scaling(self) -> bool:
        """Whether the user's optimizer is a `LossScaleOptimizer`."""
        return self._scaling is not None

    def scale_losses(self, tasks: Sequence[str]) -> None:
        """Makes the loss scale of each named task that has none yet."""
        for task in tasks:
            if task not in self._loss_scales:
                scaling = self._scaling or (INITIAL_SCALE, GROWTH_STEPS)
                self._loss_scales[task] = LossScale(self.add_variable, task, *scaling)

    def loss_scale(self, task: str) -> LossScale | None:
        """Returns a task's loss scale; `None` if losses are not scaled."""
        return self._loss_scales.get(task)

    def loss_factor(self, task: str) -> Any:
        """Returns the factor of a task's loss for computing its gradients."""
        scale = self.loss_scale(task)
        if scale is not None:
            return ops.convert_to_tensor(scale.factor)
        return 1.0 if self.loss_scale_factor is None else self.loss_scale_factor

    def _new_group(self, variables: dict[str, keras.Variable]) -> _Group:
        cls, config = self._inner
        config = {**config, "learning_rate": self._current_learning_rate}
        optimizer = fastest(cls, config).from_config(config)
        # Keras has no public way to read the excluded variables.
        if self._not_decayed is not None:
            optimizer._exclude_from_weight_decay_pattern = self._not_decayed
        if self._not_decayed_keys is not None:
            optimizer._exclude_from_weight_decay = self._not_decayed_keys
        # On TensorFlow the step has summed the replicas' gradients, see `BackendStep.gradients`.
        optimizer._all_reduce_sum_gradients = lambda gradients_and_variables: (
            gradients_and_variables
        )
        held = list(variables.values())
        optimizer.build(held)
        averages = optimizer.add_optimizer_variables(held, "average") if self.use_ema else []
        return _Group(list(variables), held, optimizer, averages)

    def _split(self, group: _Group, chosen: list[str]) -> None:
        """Splits a group of which only a part is updated from now on, and keeps all state."""
        state = {v.name: v for v in group.optimizer.variables}
        if len(state) < len(group.optimizer.variables):
            raise ValueError(
                f"two layers of the part of {chosen[0]!r} have the same name, or "
                f"{type(group.optimizer).__name__} gives its state no names of its own; freezing "
                "one of its layers needs distinct names: freeze the whole part, or compile anew"
            )
        parts = ([], [])
        for address, variable in zip(group.addresses, group.variables, strict=True):
            parts[address in chosen].append((address, variable))
        place = self._groups.index(group)
        self._groups[place : place + 1] = [self._new_group(dict(part)) for part in parts]
        for part in self._groups[place : place + 2]:
            for variable in part.optimizer.variables:
                # A copy: on JAX two variables must not share a buffer, which a step donates.
                variable.assign(np.array(state[variable.name].value))

    @property
    def variables(self) -> list[keras.Variable]:
        inner = [v for group in self._groups for v in group.optimizer.variables]
        return [*super().variables, *inner]

    # Steps -----------------------------------------------------------------------------------

    def _current_learning_rate(self) -> Any:
        # Keras' optimizers take a function for a learning rate, but not a property.
        return self.learning_rate

    def update(
        self, gradients: Sequence[Any], variables: Sequence[keras.Variable], task: str = ""
    ) -> None:
        """Applies one task's gradients to the variables that it updates.

        Args:
            gradients: Gradients of the loss; with a `loss_scale_factor` and no `LossScale`,
                gradients of the loss times this factor.
            task: Name of the task; needed to sum gradients.
        """
        if self.loss_scale_factor is not None and self.loss_scale(task) is None:
            gradients = [None if g is None else g / self.loss_scale_factor for g in gradients]
        groups = self._of(variables)
        # Updates before this one; a copy, as below.
        counts = [ops.copy(group.optimizer.iterations) for group in groups] if self.use_ema else []
        if self.accumulates:
            ready, gradients = self._sum_up(gradients, variables, task)
            with self.undone_unless(ready, variables):
                self._step(gradients, variables)
        else:
            self._step(gradients, variables)
        for group, count in zip(groups, counts, strict=bool(counts)):
            self._average(group, count)

    def _step(self, gradients: Sequence[Any], variables: Sequence[keras.Variable]) -> None:
        if self._norm_limit is not None:
            present = [g for g in gradients if g is not None]
            norm = ops.sqrt(sum(ops.sum(ops.square(g)) for g in present))
            factor = self._norm_limit / ops.maximum(norm, self._norm_limit)
            gradients = [None if g is None else g * ops.cast(factor, g.dtype) for g in gradients]
        by_variable = {id(v): g for g, v in zip(gradients, variables, strict=True)}
        for group in self._of(variables):
            own = [by_variable[id(v)] for v in group.variables]
            group.optimizer.apply(own, group.variables)

    def _sum_up(
        self, gradients: Sequence[Any], variables: Sequence[keras.Variable], task: str
    ) -> tuple[Any, list[Any]]:
        """Adds a task's gradients; returns whether a step is due, a scalar, and their mean."""
        steps = self._accumulated_steps
        ready = ops.equal((self._iterations + 1) % steps, 0)
        means = []
        for gradient, kept in zip(gradients, self._sums_of(variables, task), strict=True):
            if gradient is None:
                means.append(None)
                continue
            total = ops.convert_to_tensor(kept) + ops.cast(gradient, kept.dtype)
            means.append(total / steps)
            kept.assign(ops.where(ready, ops.zeros_like(total), total))
        return ready, means

    def _sums_of(self, variables: Sequence[keras.Variable], task: str) -> list[keras.Variable]:
        addresses = {
            id(v): a
            for group in self._of(variables)
            for a, v in zip(group.addresses, group.variables, strict=True)
        }
        return [self._sums.variables[task, addresses[id(v)]] for v in variables]

    def _average(self, group: _Group, count: Any) -> None:
        """Updates averages as Keras does after a step; `count` is the number of earlier steps."""
        for variable, average in zip(group.variables, group.averages, strict=True):
            value = ops.convert_to_tensor(variable)
            momentum = ops.cast(ops.not_equal(count, 0), value.dtype) * self.ema_momentum
            found = momentum * ops.convert_to_tensor(average) + (1 - momentum) * value
            average.assign(found)
            if self.ema_overwrite_frequency:
                due = ops.equal((count + 1) % self.ema_overwrite_frequency, 0)
                variable.assign(ops.where(due, found, value))

    def _of(self, variables: Sequence[keras.Variable]) -> list[_Group]:
        """Returns the groups of some variables."""
        ids = {id(v) for v in variables}
        return [group for group in self._groups if id(group.variables[0]) in ids]

    @contextmanager
    def undone_unless(
        self, good: Any, variables: Sequence[keras.Variable], task: str | None = None
    ) -> Iterator[None]:
        """Restores variables and their state at its end, unless `good` is true.

        It has no branch, so a compiled step need not wait for the value of `good`.

        Args:
            good: Boolean scalar of the step.
            task: Name of the task whose sums of gradients are restored too.
        """
        state = [v for group in self._of(variables) for v in group.optimizer.variables]
        state += variables
        if task is not None and self.accumulates:
            state += self._sums_of(variables, task)
        # A copy, since on TensorFlow a variable made a tensor still follows the variable.
        before = [ops.copy(v) for v in state]
        yield
        for variable, value in zip(state, before, strict=True):
            variable.assign(ops.where(good, ops.convert_to_tensor(variable), value))

    def end_round(self) -> None:
        """Counts a round, the unit of learning-rate schedules."""
        self.iterations.assign_add(1)

    def finalize_variable_values(self, var_list: Sequence[keras.Variable]) -> None:
        for group in self._of(var_list):
            for variable, average in zip(group.variables, group.averages, strict=self.use_ema):
                # A copy, as when groups are split.
                variable.assign(ops.copy(ops.convert_to_tensor(average)))

    # `keras.callbacks.SwapEMAWeights` finds averages by these two names.

    @property
    def _trainable_variables(self) -> list[keras.Variable]:
        return [v for group in self._learning() for v in group.variables]

    @_trainable_variables.setter
    def _trainable_variables(self, value: Any) -> None:
        """Accepts only the empty list that Keras sets at first."""
        if len(value):
            raise AttributeError("the variables of a RoundOptimizer are those that it tracks")

    @property
    def _model_variables_moving_average(self) -> list[keras.Variable]:
        if not self.use_ema:
            raise AttributeError("there are no averages without use_ema=True")
        return [average for group in self._learning() for average in group.averages]

    def _learning(self) -> list[_Group]:
        """Returns the groups that are not frozen."""
        return [group for group in self._groups if group.addresses[0] in self._tracked]

    def get_config(self) -> dict[str, Any]:
        groups = [group.addresses for group in self._groups] + self._saved_groups
        return {
            "optimizer": self._inner_config,
            "groups": groups,
            "sums": [list(key) for key in self._sums.variables] + self._saved_sums,
            "not_decayed": self._not_decayed.pattern if self._not_decayed else None,
            "scaling": self._scaling,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> RoundOptimizer:
        optimizer = keras.optimizers.deserialize(config["optimizer"], custom_objects)
        if config["not_decayed"] is not None:
            optimizer.exclude_from_weight_decay(var_names=[config["not_decayed"]])
        if config.get("scaling") is not None:
            initial_scale, growth_steps = config["scaling"]
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale, growth_steps)
        return cls(optimizer, config["groups"], config.get("sums", ()), config["name"])
