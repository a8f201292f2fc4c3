"""The trainer of one or several networks, which auxiliary heads make compatible."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_compat import replica_ops
from keras_compat.choices import FULL
from keras_compat.errors import InputError
from keras_compat.training.backend import BackendStep
from keras_compat.training.batches import (
    Checks,
    JointBatches,
    JointEvaluationBatches,
    PredictionBatches,
    checked,
    rounds_per_epoch,
    task_batches,
)
from keras_compat.training.distribution import current_distribution
from keras_compat.training.loss_scale import all_finite
from keras_compat.training.precision import Precision
from keras_compat.training.round_optimizer import RoundOptimizer
from keras_compat.training.round_programs import RoundPrograms
from keras_compat.training.task import Task
from keras_compat.training.task_loss import Logs, task_loss
from keras_compat.training.weights import by_task, class_weights

# The round of the first loss that is not finite, as long as there is none.
_NEVER = -1


@keras.saving.register_keras_serializable("keras_compat")
class Trainer(BackendStep, keras.Model):
    """Trains networks so that their extractors and heads can be recombined (paper Sec. 3).

    A round is one compiled step, in which every task in turn takes one gradient step on a
    minibatch of its own. The gradient step updates the parts of the task's network that are not
    frozen. Tasks that hold the same head share it. Joint training trains all tasks at once,
    incremental training one task with frozen auxiliary heads, adaptation a task without a target
    head, fine-tuning a task without auxiliaries (Sec. 3.4, 5).

    Every call of `fit` looks up what is frozen (`trainable = False`), so freezing works before
    and after `compile`. Data is a mapping from task names to `(images, labels)` arrays,
    `Examples`, a `tf.data.Dataset` or a `PyDataset` of minibatches. Labels are whole numbers from
    0, of shape `[N]` or `[N, 1]`; -1 stands for no label. Arrays and minibatches may be `(images,
    labels, sample weights)`, as for Keras' `fit`. The weights count in losses and accuracies of
    labels (Keras' `weighted_metrics`): those of the target task and of common classes. After
    `start_distribution` every `fit` runs on several devices, with the same results.

    Args:
        tasks: The tasks to train, each with its network.
        seed: Seed of the order of the data.

    Raises:
        ValueError: Two tasks, or two different parts, have the same name.

    Example:

    >>> import keras, numpy as np
    >>> from keras_compat.training import Task, Trainer
    >>> def part(name, inputs, units):
    ...     x = keras.Input(inputs)
    ...     return keras.Model(x, keras.layers.Dense(units)(x), name=name)
    >>> head = keras.Sequential([keras.Input((4, 4, 8)), keras.layers.Flatten(),
    ...                          keras.layers.Dense(3)], name="head")
    >>> tasks = [Task(n, part(f"{n}_extractor", (4, 4, 1), 8), head) for n in ("a", "b")]
    >>> trainer = Trainer(tasks)
    >>> trainer.compile(keras.optimizers.Adam(0.01))
    >>> data = (np.zeros((16, 4, 4, 1), "float32"), np.zeros(16, "int32"))
    >>> history = trainer.fit({"a": data, "b": data}, batch_size=8, epochs=2, verbose=0)
    >>> sorted(history.history)
    ['a_accuracy', 'a_loss', 'b_accuracy', 'b_loss', 'loss']
    """

    def __init__(self, tasks: Sequence[Task], seed: int = 0, name: str = "trainer", **kwargs: Any):
        super().__init__(name=name, **kwargs)
        names = [task.name for task in tasks]
        if len(set(names)) != len(names):
            raise ValueError(f"task names {names}; expected distinct names")
        self.seed = seed
        self.tasks = {task.name: task for task in tasks}
        # Keras tracks layers in attributes: each part once, by name.
        self.parts = self._distinct([part for task in tasks for part in task.parts], "parts")
        self.auxiliaries = [a.auxiliary for task in tasks for a in task.auxiliaries]
        self.augmentations = [t.augmentation for t in tasks if t.augmentation is not None]
        self.trackers = {n: keras.metrics.Mean(name=n) for n in self._metric_names()}
        self._first_bad = [
            self.add_weight(
                (),
                initializer=lambda shape, dtype=None: ops.full(shape, _NEVER, dtype),
                dtype="int32",
                trainable=False,
                name=f"{n}_first_non_finite_round",
            )
            for n in names
        ]
        self._learnt_ids: list[tuple[str, list[int]]] | None = None
        self.built = True

    @staticmethod
    def _distinct(models: Sequence[keras.Model], what: str) -> dict[str, keras.Model]:
        by_name: dict[str, keras.Model] = {}
        for model in models:
            if by_name.setdefault(model.name, model) is not model:
                raise ValueError(f"two different {what} are named {model.name!r}; give each a name")
        return by_name

    def _metric_names(self) -> list[str]:
        names = []
        for task in self.tasks.values():
            if task.head is not None:
                names += [f"{task.name}_loss", f"{task.name}_accuracy"]
            for held in task.auxiliaries:
                prefix = f"{task.name}_{held.auxiliary.name}"
                names += [f"{prefix}_loss", f"{prefix}_{held.auxiliary.score_name}"]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ValueError(
                f"two figures would be named {twice[0]!r}; give the task or the auxiliary another "
                "name"
            )
        return names

    # One round of all tasks ------------------------------------------------------------------

    def train_round(self, data: Any, number: int = 0) -> dict:
        """Takes one step of each task in turn; the backend's `train_step` calls it.

        Args:
            number: Number of a round in which the same auxiliaries take part.
        """
        images, labels, weights = keras.utils.unpack_x_y_sample_weight(data)
        weights = weights or {}
        losses: list[Any] = []
        hopeless: list[Any] = []
        found: Logs = {}
        for name, task in self.tasks.items():
            auxiliaries = task.auxiliaries_of(number)
            learnt = task.learnt_variables(auxiliaries)
            scale = self.optimizer.loss_scale(name)
            factor = self.optimizer.loss_factor(name)

            def compute(
                task: Task = task, name: str = name, held: Any = auxiliaries, factor: Any = factor
            ) -> tuple[Any, tuple[Any, dict]]:
                with self._precision.applied():
                    pair = self._cast(images[name], labels[name])
                    loss, logs = task_loss(task, *pair, weights.get(name), True, held)
                return loss * factor, (loss, logs)

            _, (loss, logs), gradients = self.gradients(compute, learnt)
            if scale is None:
                self.optimizer.update(gradients, learnt, name)
                hopeless.append(False)
            else:
                # Replicas share these gradients, so all take or skip the step.
                gradients = scale.unscaled(gradients)
                finite = all_finite(gradients)
                with self.optimizer.undone_unless(finite, learnt, name):
                    self.optimizer.update(gradients, learnt, name)
                # At the smallest scale no lower one can help.
                hopeless.append(ops.logical_and(ops.logical_not(finite), scale.is_smallest()))
                scale.update(finite)
            losses.append(loss)
            # Minibatches may differ in size.
            count = ops.shape(images[name])[0]
            found |= {
                key: (value, share * ops.cast(count, share.dtype))
                for key, (value, share) in logs.items()
            }
        losses, found = _of_all_replicas(losses, found)
        for first_bad, loss, lost in zip(self._first_bad, losses, hopeless, strict=True):
            good = ops.logical_and(ops.isfinite(loss), ops.logical_not(lost))
            self._note_non_finite(first_bad, good)
        self._update_trackers(found, 1.0)
        self.optimizer.end_round()
        return self.get_metrics_result()

    def test_round(self, data: Any) -> dict:
        """Evaluates one minibatch of each task; the backend's `test_step` calls it."""
        images, labels, given = keras.utils.unpack_x_y_sample_weight(data)
        weights = given.get("weights", {})
        for name, task in self.tasks.items():
            pair = self._cast(images[name], labels[name])
            _, logs = task_loss(task, *pair, weights.get(name), False, task.auxiliaries)
            self._update_trackers(logs, ops.sum(given["counted"][name]))
        return self.get_metrics_result()

    def _cast(self, images: Any, labels: Any) -> tuple[Any, Any]:
        return ops.cast(images, self.compute_dtype), ops.cast(labels, "int32")

    def get_metrics_result(self) -> dict[str, Any]:
        """Returns the metrics by name; `loss` is the weighted sum of all tasks' mean losses.

        The sum of means is right even if one task has more data than another.
        """
        results = super().get_metrics_result()
        parts = [
            (task.loss_weight, f"{task.name}_loss")
            for task in self.tasks.values()
            if task.head is not None
        ]
        parts += [
            (held.loss_weight, f"{task.name}_{held.auxiliary.name}_loss")
            for task in self.tasks.values()
            for held in task.auxiliaries
        ]
        results["loss"] = sum(weight * results[name] for weight, name in parts)
        return results

    def _update_trackers(self, logs: Logs, weight: Any) -> None:
        for name, (value, share) in logs.items():
            self.trackers[name].update_state(value, sample_weight=share * weight)

    def _note_non_finite(self, first: keras.Variable, good: Any) -> None:
        bad = ops.logical_and(ops.equal(first, _NEVER), ops.logical_not(good))
        now = ops.cast(self.optimizer.iterations, "int32")
        first.assign(ops.where(bad, now, ops.convert_to_tensor(first)))

    def first_non_finite_round(self) -> tuple[str, int] | None:
        """Returns the first task with a loss that was not finite, and its round; else `None`."""
        rounds = [int(variable.numpy()) for variable in self._first_bad]
        bad = [
            (number, name)
            for number, name in zip(rounds, self.tasks, strict=True)
            if number != _NEVER
        ]
        return (min(bad)[1], min(bad)[0]) if bad else None

    @property
    def rounds(self) -> int:
        """Number of rounds trained so far."""
        return int(self.optimizer.iterations.numpy())

    # Keras' interface ------------------------------------------------------------------------

    def compile(
        self,
        optimizer: Any = "adam",
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | str = "auto",
        precision: str = FULL,
    ) -> None:
        """Sets the optimizer and how steps are run; losses and metrics are those of the tasks.

        Args:
            optimizer: A Keras optimizer or its name; its schedule counts rounds.
            steps_per_execution: Rounds in one call of the compiled step.
            jit_compile: Whether XLA compiles; `"auto"` uses XLA if it is faster.
            precision: Precision of float32 networks within a training step, and only there:
                `"float32"`, `"mixed_bfloat16"` or `"mixed_float16"`, see `Precision`. If a part
                computes in float16, each task's loss is scaled, see `LossScale`.

        Raises:
            InputError: The precision is unknown, the optimizer wraps others (other than for loss
                scaling), or it accumulates gradients over rounds of several kinds.
            ValueError: One call is to run several rounds, and they are of several kinds.
        """
        optimizer = keras.optimizers.get(optimizer)
        if not isinstance(optimizer, RoundOptimizer):
            optimizer = RoundOptimizer(optimizer)
        extractors = {id(task.extractor): task.extractor for task in self.tasks.values()}
        heads = [part for part in self.parts.values() if id(part) not in extractors]
        self._precision = Precision(precision, list(extractors.values()), heads)
        self.programs = RoundPrograms(list(self.tasks.values()), steps_per_execution)
        if optimizer.accumulates and not self.programs.all_alike:
            raise InputError(
                "gradient_accumulation_steps, and auxiliaries that take part in some rounds only; "
                "expected auxiliaries with every=1, or no accumulation"
            )
        with self.state_scope():
            if optimizer.asks_for_scaling or self._computes_in_float16():
                optimizer.scale_losses(list(self.tasks))
            optimizer.restore(self._addresses())
        if jit_compile == "auto":
            jit_compile = self.default_jit_compile() and not run_eagerly
        super().compile(
            optimizer=optimizer,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            jit_compile=jit_compile,
            auto_scale_loss=False,
        )
        self._learnt_ids = None

    @property
    def precision(self) -> str:
        """Precision of networks within a training step, see `compile`."""
        return self._precision.name

    def _computes_in_float16(self) -> bool:
        layers = [layer for part in self.parts.values() for layer in part._flatten_layers()]
        with self._precision.applied():
            return any(layer.compute_dtype == "float16" for layer in layers)

    def get_compile_config(self) -> dict[str, Any]:
        config = super().get_compile_config()
        return {**config, "precision": self.precision} if config else config

    def compile_from_config(self, config: dict[str, Any]) -> None:
        config = keras.saving.deserialize_keras_object(config)
        known = ("optimizer", "run_eagerly", "steps_per_execution", "jit_compile", "precision")
        self.compile(**{key: config[key] for key in known if key in config})

    def _addresses(self) -> dict[str, keras.Variable]:
        """Returns each variable once, by its part and its place there, the same after a reload."""
        addresses: dict[str, keras.Variable] = {}
        seen: set[int] = set()
        for name, part in self.parts.items():
            for i, variable in enumerate(part.weights):
                if id(variable) not in seen:  # parts may share a layer
                    seen.add(id(variable))
                    addresses[f"{name}/{i}"] = variable
        return addresses

    def _updated_together(
        self, learnt: dict[str, list[keras.Variable]]
    ) -> list[dict[str, keras.Variable]]:
        """Returns the learnt variables, grouped by their part and the tasks that learn them."""
        learners: dict[int, tuple[str, ...]] = {}
        for name, variables in learnt.items():
            rounds = self.programs.rounds_by_variable(self.tasks[name])
            for variable in variables:
                when = (name, rounds[id(variable)])
                learners[id(variable)] = (*learners.get(id(variable), ()), *when)
        groups: dict[tuple[str, ...], dict[str, keras.Variable]] = {}
        for address, variable in self._addresses().items():
            if id(variable) in learners:
                key = (address.rpartition("/")[0], *learners[id(variable)])
                groups.setdefault(key, {})[address] = variable
        return list(groups.values())

    def make_train_function(self, force: bool = False) -> Any:
        """Compiles the step, and compiles it again when other variables are frozen."""
        if self.track_learnt() or force or self.train_function is None:
            self.train_function = self.programs.compiled(self._compiled_round)
        if not self.programs.all_alike:
            self.programs.go_to(self.rounds)
        return self.train_function

    def track_learnt(self) -> bool:
        """Makes the optimizer's state of the learnt variables; returns whether these changed.

        Raises:
            ValueError: A task has nothing to learn.
        """
        learnt = {name: task.learnt_variables() for name, task in self.tasks.items()}
        idle = [name for name, variables in learnt.items() if not variables]
        if idle:
            raise ValueError(f"task {idle[0]!r} has nothing to learn: all of its parts are frozen")
        # Identities, not variables: Keras would track those a second time.
        ids = [(name, [id(v) for v in variables]) for name, variables in learnt.items()]
        same = ids == self._learnt_ids
        if not same:
            with self.state_scope():
                self.optimizer.track(self._updated_together(learnt), learnt)
            self._learnt_ids = ids
        return not same

    def _compiled_round(self, number: int) -> Callable[..., Any]:
        """Returns Keras' compiled step for rounds of one kind."""
        # Bound methods are equal, and JAX would take one program for another.
        self.train_step = partial(type(self).train_step, self, number=number)
        try:
            super().make_train_function(force=True)
        finally:
            del self.train_step
        return self.train_function

    def call(self, inputs: Any, training: bool = False) -> dict[str, Any]:
        """Returns class logits by task; `inputs` are images for all tasks, or images by task."""
        images = inputs if isinstance(inputs, Mapping) else dict.fromkeys(self.tasks, inputs)
        return {
            name: task.head(task.extractor(images[name], training=training), training=training)
            for name, task in self.tasks.items()
            if name in images and task.head is not None
        }

    def fit(
        self,
        x: Mapping[str, Any],
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_data: Mapping[str, Any] | None = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_freq: int = 1,
        class_weight: Mapping[Any, Any] | None = None,
        sample_weight: Any = None,
    ) -> keras.callbacks.History:
        """Trains for `epochs` times `steps_per_epoch` rounds; see `keras.Model.fit`.

        Args:
            x: Data by task name.
            batch_size: Examples of each task in a round, for arrays and `Examples`.
            validation_data: Data by task name, evaluated after an epoch.
            initial_epoch: Number of the first epoch; data and schedule go on at the trainer's own
                round.
            steps_per_epoch: Rounds in an epoch; by default those that show the largest set once.
            class_weight: Mapping, as in Keras, from classes to weights, for all tasks with a
                head; or a mapping from the names of some tasks to such mappings.
            sample_weight: Weights, as in Keras, for arrays and `Examples` in memory: each task's
                weights by its name, or those of the only task.

        Returns:
            Keras' `History`, with `loss` (the sum over tasks) and each task's own metrics.

        Raises:
            ValueError: The data is not that of the tasks.
            InputError: Labels or weights are not valid. Those of arrays and `Examples` are checked
                before training, those of minibatches when they are read.
            Exception: Any error in reading a task's data, unchanged.
        """
        checks = self._checks(class_weight)
        x = self._checked(x, checks, sample_weight, learnt=True)
        if validation_data is not None:
            validation_data = self._checked(validation_data, self._checks())
        if steps_per_epoch is None:
            lengths = [rounds_per_epoch(source, batch_size) for source in x.values()]
            if None in lengths:
                raise ValueError("steps_per_epoch is needed: a task's data has no known length")
            steps_per_epoch = max(lengths)
        batches = JointBatches(
            {
                name: partial(task_batches, x[name], batch_size, self.seed + number)
                for number, name in enumerate(self.tasks)
            },
            rounds=steps_per_epoch * max(epochs - initial_epoch, 1),
            start=self.rounds,
            checks=checks,
        )
        # Data that cannot be read fail before anything is compiled.
        batches[0]
        read = [batches]
        if validation_data is not None:
            read.append(JointEvaluationBatches(validation_data, batch_size, self._checks()))
            validation_data = self.as_input(read[1])
        distribution = current_distribution()
        if distribution is None:
            fit = partial(super().fit, self.as_input(batches))
        else:
            fit = partial(distribution.fit, self, batches)
        with self._errors_of(*read):
            return fit(
                epochs=epochs,
                verbose=verbose,
                # The last callback, after BackupAndRestore may have set another round.
                callbacks=[*_as_list(callbacks), _GoToRound(batches)],
                validation_data=validation_data,
                shuffle=False,
                initial_epoch=initial_epoch,
                steps_per_epoch=steps_per_epoch,
                validation_freq=validation_freq,
            )

    def evaluate(
        self, x: Any = None, batch_size: int | None = None, sample_weight: Any = None, **kwargs: Any
    ) -> Any:
        """Returns losses and metrics over every example of every task; see `keras.Model.evaluate`.

        Args:
            batch_size: Most examples in a minibatch; minibatches are near-equal in size.
            **kwargs: `verbose`, `callbacks` and `return_dict` as in Keras.

        Raises:
            InputError: Labels or weights are not valid.
        """
        if not isinstance(x, Mapping):
            return super().evaluate(self.as_input(x), **kwargs)
        checks = self._checks()
        batches = JointEvaluationBatches(
            self._checked(x, checks, sample_weight), batch_size, checks
        )
        batches[0]
        with self._errors_of(batches):
            return super().evaluate(self.as_input(batches), **kwargs)

    @contextmanager
    def _errors_of(self, *read: JointBatches | JointEvaluationBatches) -> Iterator[None]:
        """Raises an error of reading unchanged, in place of the backend's."""
        try:
            yield
        except self.errors_of_reading:
            for batches in read:
                if batches.error is not None:
                    raise batches.error from None
            raise
        finally:
            # On JAX `evaluate` keeps the weights outside of the variables.
            if hasattr(self, "jax_state_sync"):
                self.jax_state_sync()

    def predict(
        self, x: Any, batch_size: int | None = None, **kwargs: Any
    ) -> dict[str, np.ndarray]:
        """Returns each task's class logits as arrays; see `keras.Model.predict`.

        Args:
            x: Images for every task, or a mapping from task names to images.
            batch_size: Most images in a minibatch. Minibatches are near-equal in size, since a
                last one of few images would be normalized by its own statistics.
            **kwargs: `verbose` and `callbacks` as in Keras.

        Raises:
            ValueError: Images are given for a name that is no task with a head.
        """
        with_head = [name for name, task in self.tasks.items() if task.head is not None]
        if not isinstance(x, Mapping):
            x = dict.fromkeys(with_head, x)
        unknown = set(x) - set(with_head)
        if unknown:
            raise ValueError(
                f"images for {sorted(unknown)}; expected tasks with a head among {list(self.tasks)}"
            )
        outputs: dict[str, np.ndarray] = {}
        # One task at a time, since their sets may differ in length.
        for name, images in x.items():
            batches = self.as_input(PredictionBatches(name, images, batch_size))
            outputs |= super().predict(batches, **kwargs)
        return outputs

    def _checks(self, class_weight: Mapping[Any, Any] | None = None) -> dict[str, Checks]:
        """Returns the checks of each task's minibatches."""
        classes = {name: task.classes for name, task in self.tasks.items()}
        tables = class_weights(class_weight, classes)
        return {name: Checks(name, classes[name], tables.get(name)) for name in self.tasks}

    def _checked(
        self, data: Any, checks: dict[str, Checks], sample_weight: Any = None, learnt: bool = False
    ) -> dict[str, Any]:
        """Returns the tasks' data, checked before anything is compiled, see `checked`."""
        if not isinstance(data, Mapping) or set(data) != set(self.tasks):
            received = sorted(data) if isinstance(data, Mapping) else type(data).__name__
            raise ValueError(
                f"data for {received}; expected a mapping with one entry for each of the tasks "
                f"{sorted(self.tasks)}"
            )
        weights = by_task(sample_weight, self.tasks, "sample_weight")
        return {n: checked(data[n], checks[n], weights.get(n), learnt) for n in self.tasks}

    # Saving ----------------------------------------------------------------------------------

    def _own_state(self) -> list[keras.Variable]:
        """Returns the variables that no part saves: first bad rounds and random state."""
        kept = {id(v) for v in [*self.weights, *self.metrics_variables]}
        return [*self._first_bad, *(v for v in self.variables if id(v) not in kept)]

    def save_own_variables(self, store: Any) -> None:
        for number, variable in enumerate(self._own_state()):
            store[str(number)] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        for number, variable in enumerate(self._own_state()):
            variable.assign(store[str(number)])

    def get_config(self) -> dict[str, Any]:
        save = keras.saving.serialize_keras_object
        # Tasks may share parts, which are saved once and found by name.
        names = {id(part): name for name, part in self.parts.items()}
        tasks = keras.tree.map_structure(
            lambda held: names[id(held)] if id(held) in names else save(held),
            [task.get_config() for task in self.tasks.values()],
        )
        parts = {name: save(part) for name, part in self.parts.items()}
        return {"name": self.name, "seed": self.seed, "parts": parts, "tasks": tasks}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Trainer:
        with keras.saving.custom_object_scope(custom_objects or {}):
            load = keras.saving.deserialize_keras_object
            parts = {None: None} | {name: load(part) for name, part in config["parts"].items()}
            tasks = []
            for task in config["tasks"]:
                auxiliaries = [{**x, "head": parts[x["head"]]} for x in task["auxiliaries"]]
                own = {"extractor": parts[task["extractor"]], "head": parts[task["head"]]}
                tasks.append(Task.from_config({**task, **own, "auxiliaries": auxiliaries}))
        return cls(tasks, seed=config["seed"], name=config["name"])


def _as_list(callbacks: Any) -> list[keras.callbacks.Callback]:
    if callbacks is None:
        return []
    return list(callbacks) if isinstance(callbacks, list | tuple) else [callbacks]


class _GoToRound(keras.callbacks.Callback):
    """Starts the data and the kinds of round at the trainer's own round."""

    def __init__(self, batches: JointBatches):
        super().__init__()
        self._batches = batches

    def on_train_begin(self, logs: Any = None) -> None:
        self._batches.go_to(self.model.rounds)
        self.model.programs.go_to(self.model.rounds)


def _of_all_replicas(losses: list[Any], found: Logs) -> tuple[list[Any], Logs]:
    """Returns losses and metrics of the whole batch, given those of each replica's part."""
    if replica_ops.count() == 1:
        return losses, found
    dtype = losses[0].dtype
    pairs = [(value * share, share) for value, share in found.values()]
    scalars = [ops.cast(x, dtype) for x in [*losses, *(x for pair in pairs for x in pair)]]
    means = ops.unstack(replica_ops.means(ops.stack(scalars)), len(scalars))
    values, shares = means[len(losses) :: 2], means[len(losses) + 1 :: 2]
    both = zip(values, shares, strict=True)
    whole = [(value / ops.where(share > 0, share, 1), share) for value, share in both]
    return means[: len(losses)], dict(zip(found, whole, strict=True))
