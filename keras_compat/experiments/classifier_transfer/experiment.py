"""Classifier transfer from data to files: the phases in order (Sec. 5.2, Appendix B.7)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

import keras
import numpy as np

from keras_compat import evaluation
from keras_compat.data import Examples, StreamedExamples
from keras_compat.data.quiet_tensorflow import import_tensorflow
from keras_compat.deployment.optional_dependencies import installed, require
from keras_compat.experiments.classifier_transfer import shipping
from keras_compat.experiments.classifier_transfer.preparation import (
    Prepared,
    prepare,
    read,
)
from keras_compat.experiments.classifier_transfer.settings import Config
from keras_compat.experiments.classifier_transfer.stages import Parts, Stages, check
from keras_compat.experiments.loading import load_dataset, load_options
from keras_compat.experiments.runner.checkpointing import Resumption
from keras_compat.experiments.runner.item_folder import CHECKPOINTS
from keras_compat.experiments.runner.output_folder import FINISHED, OutputFolder
from keras_compat.experiments.runner.resume_options import RESUMING, Resuming
from keras_compat.experiments.runner.run_folder import reporting, resumable_folder
from keras_compat.experiments.runner.terminal import RoundsBar, Terminal
from keras_compat.files import remove
from keras_compat.machine import peak_memory_gib
from keras_compat.printing import tell
from keras_compat.reporting import Run
from keras_compat.reporting.classifier_transfer import terminal_text, write_report

LOGS = "logs"
VARIANTS = {"extractor": "frozen_extractor", "rotation": "frozen_rotation"}


def run(
    config: Config,
    output_dir: str | os.PathLike[str],
    overwrite: bool = False,
    resuming: Resuming = RESUMING,
) -> dict[str, Any]:
    """Runs the job and writes its folder; a run that was killed goes on where it was.

    Args:
        config: every setting.
        output_dir: where `metrics.json`, `report.md`, `figures/`, `components/`, `export/` and
            `logs/` go once all is done.
        overwrite: whether a finished run may be replaced.
        resuming: whether and how an interrupted run goes on.

    Returns:
        What `metrics.json` holds.

    Raises:
        InputError: on bad input, before any training.
        NonFiniteLoss: when a loss becomes NaN; the last good weights are in
            `OUTPUT_DIR.partial/last_good/`.
    """
    left_out = shipping.missing_packages() if config.export is not False else []
    if config.export:
        for package in left_out:
            require(package, "export (leave it out with --no-export)")
    config = replace(config, export=config.export is not False and not left_out)
    settings, kept = asdict(config), (CHECKPOINTS, LOGS)
    # Before the data, which may have to be downloaded.
    with resumable_folder(output_dir, settings, overwrite, *kept, resume=resuming.resume) as folder:
        return _Job(config, folder, left_out, resuming.checkpoint_seconds).run()


class _Job:
    def __init__(
        self,
        config: Config,
        folder: OutputFolder,
        left_out: list[str],
        checkpoint_seconds: float,
    ):
        self.begin = time.perf_counter()
        self.config = config
        self.folder = folder
        self.checkpoints = folder.partial / CHECKPOINTS
        self.checkpoint_seconds = checkpoint_seconds
        bounds = {"none": 0, "original": 1, "all": 2}[config.upper_bounds]
        per_seed = 1 + len(config.maintain) + bounds + 1
        self.terminal = Terminal(1 + config.seeds * per_seed + 2 * config.export + 1)
        self._read_data()
        without = _missing_for_logs()
        for what, packages in (("files for servers and phones", left_out), ("logs", without)):
            if packages:
                self.terminal.line(
                    f"{what} are left out: they need {' and '.join(packages)}, which come with: "
                    "pip install 'keras_compat[tensorflow]'"
                )
        self.logs = not without
        if self.logs:
            # Keras writes TensorBoard's files through TensorFlow, on any backend.
            import_tensorflow()

    def _read_data(self) -> None:
        config = self.config
        self.terminal.phase(f"Reading {config.dataset}")
        self.all_data = load_dataset(config.dataset, load_options(config))
        # Each seed has a split of its own, which may leave a rare class without images.
        for number in reversed(range(config.seeds)):
            prepared = prepare(config, self.all_data, config.seed + number)
        check(config, prepared.dataset)
        self.record = Run("classifier_transfer", asdict(config), dataset=prepared.dataset.name)
        self.record.data[prepared.dataset.name] = prepared.dataset.fingerprint()
        names = prepared.dataset.class_names
        self.terminal.line(
            f"{len(prepared.train):,} training images, {len(prepared.recalibration):,} for "
            f"recalibration, {len(prepared.test):,} test images"
        )
        if isinstance(prepared.train, StreamedExamples):
            self.terminal.line(
                f"over {config.memory_limit_gib:g} GiB: images are read as they are needed"
            )
        self.terminal.line(
            f"initial classes: {', '.join(names[: prepared.initial])}; "
            f"new: {', '.join(names[prepared.initial :])}"
        )

    def run(self) -> dict[str, Any]:
        self.checkpoints.mkdir(exist_ok=True)
        shipped: shipping.Pairs = {}
        for number in range(self.config.seeds):
            pairs = self._run_seed(self.config.seed + number)
            shipped = shipped or pairs
        if self.config.export:
            # Should that fail, what was measured is there.
            self.record.write(self.folder.partial / FINISHED)
            self._ship(shipped)
        self.terminal.phase("Writing the report")
        memory = peak_memory_gib()
        if memory is not None:
            self.record.add("peak_memory_gib", memory)
        self.record.durations_s["total"] = time.perf_counter() - self.begin
        metrics = self.record.write(self.folder.partial / FINISHED)
        with reporting(self.folder):
            write_report(metrics, self.folder.partial)
        place = self.folder.finish()
        remove(place / CHECKPOINTS)
        text = terminal_text(metrics["results"])
        tell("", *text.split("\n"), "", f"Everything is in {place}/")
        return metrics

    # One seed --------------------------------------------------------------------------------

    def _run_seed(self, seed: int) -> shipping.Pairs:
        """Trains and evaluates; what was trained before an interruption is not trained again."""
        settings = asdict(replace(self.config, seeds=1, seed=seed))
        place = self.checkpoints / f"seed{seed}"
        seconds = self.checkpoint_seconds
        with Resumption(place, seconds, settings, self.record.data) as resumption:
            pairs = self._train_and_evaluate(seed, resumption)
            # Should files or the report fail, the same command goes on from here.
            resumption.keep()
            return pairs

    def _train_and_evaluate(self, seed: int, resumption: Resumption) -> shipping.Pairs:
        keras.utils.set_random_seed(seed)
        prepared = prepare(self.config, self.all_data, seed)
        stages = Stages(
            self.config,
            prepared.dataset,
            seed,
            self.folder.partial / "last_good",
            self._callbacks(seed),
        )
        suffix = f" (seed {seed})" if self.config.seeds > 1 else ""
        count = len(self.config.extractors)

        self.terminal.phase(f"Training {count} extractors with one head{suffix}")
        with self._timed("initial", resumption):
            old = prepared.of_initial_classes(prepared.train)
            initial = stages.train_initial(old, prepared.initial)

        updated: dict[str, Parts] = {}
        for maintain in self.config.maintain:
            held = {"extractor": "its extractor frozen", "rotation": "held by the rotation head"}
            self.terminal.phase(
                f"Updating the head on {self.config.reference}, {held[maintain]}{suffix}"
            )
            with self._timed(f"update_{maintain}", resumption):
                updated[maintain] = stages.update_head(
                    initial, prepared.train, prepared.classes, maintain
                )

        bounds: dict[str, dict[str, Parts]] = {}
        for architecture in self._bounds():
            self.terminal.phase(f"Upper bound: {count} networks alone, {architecture}{suffix}")
            with self._timed(f"bound_{architecture}", resumption):
                bounds[architecture] = stages.train_bound(
                    prepared.train, prepared.classes, architecture == "changed"
                )

        self.terminal.phase(f"Evaluating on test images{suffix}")
        with self.record.phase("evaluation"):
            return self._evaluate(seed, prepared, initial, updated, bounds)

    @contextmanager
    def _timed(self, phase: str, resumption: Resumption) -> Iterator[None]:
        """Notes how long training takes, with what it took before an interruption."""
        before = resumption.earlier_s
        with self.record.phase(phase):
            yield
        self.record.durations_s[phase] += resumption.earlier_s - before
        # As if this run had begun earlier.
        self.begin -= resumption.earlier_s - before

    def _bounds(self) -> tuple[str, ...]:
        return {"none": (), "original": ("original",), "all": ("original", "changed")}[
            self.config.upper_bounds
        ]

    def _evaluate(
        self,
        seed: int,
        prepared: Prepared,
        initial: Parts,
        updated: Mapping[str, Parts],
        bounds: Mapping[str, Mapping[str, Parts]],
    ) -> shipping.Pairs:
        test, classes = prepared.test, prepared.classes
        reference = self.config.reference
        self.record.add("chance", 1 / classes, seed=seed)
        share = float(np.mean(test.labels < prepared.initial))
        self.record.add("lower_bound", share, seed=seed)
        known = prepared.of_initial_classes(test)
        for name, extractor in initial.extractors.items():
            value = _accuracy(extractor, initial.head, known)
            self.record.add(
                "accuracy",
                value,
                extractor=name,
                head="shared",
                stage="initial",
                subset="old",
                seed=seed,
            )
        for maintain, parts in updated.items():
            for name, extractor in parts.extractors.items():
                logits, labels = evaluation.predict_logits(
                    extractor, parts.head, test, shipping.EVALUATION_BATCH
                )
                self._add_updated(logits, labels, prepared, seed, name, VARIANTS[maintain])
        for architecture, networks in bounds.items():
            for name, parts in networks.items():
                value = _accuracy(parts.extractors[name], parts.head, test)
                self.record.add(
                    "upper_bound",
                    value,
                    extractor=name,
                    head=name,
                    architecture=architecture,
                    seed=seed,
                )

        images, _ = read(prepared.recalibration)
        pairs: shipping.Pairs = {}
        for maintain, parts in updated.items():
            variant = VARIANTS[maintain]
            folder = self.folder.partial / "export" / variant
            recalibrated = shipping.recalibrated_pairs(parts.extractors, parts.head, images, folder)
            pairs |= {(variant, name): pair for name, pair in recalibrated.items()}
        for (variant, name), pair in pairs.items():
            value = _accuracy(pair.extractor, pair.head, test, "moving")
            self.record.add(
                "accuracy",
                value,
                extractor=name,
                head=reference,
                stage="updated",
                subset="all",
                variant=variant,
                statistics="moving",
                runtime="keras",
                seed=seed,
            )
        if seed == self.config.seed:
            self._save_components(initial, updated)
        return pairs

    def _add_updated(
        self,
        logits: np.ndarray,
        labels: np.ndarray,
        prepared: Prepared,
        seed: int,
        name: str,
        variant: str,
    ) -> None:
        reference = self.config.reference
        keys = {
            "extractor": name,
            "head": reference,
            "stage": "updated",
            "variant": variant,
            "statistics": "batch",
            "runtime": "keras",
            "seed": seed,
        }
        metric = "reference_accuracy" if name == reference else "recombination_accuracy"
        self.record.add(metric, evaluation.accuracy(logits, labels), **keys, subset="all")
        subsets = {
            "all": range(prepared.classes),
            "old": range(prepared.initial),
            "new": range(prepared.initial, prepared.classes),
        }
        for subset, classes in subsets.items():
            value = evaluation.accuracy(logits, labels, classes=list(classes))
            self.record.add("accuracy", value, **keys, subset=subset)

    def _save_components(self, initial: Parts, updated: Mapping[str, Parts]) -> None:
        folder = self.folder.partial / "components"
        folder.mkdir(exist_ok=True)
        models = [*initial.extractors.values(), initial.head, initial.rotation_head]
        for model in models:
            if model is not None:
                model.save(folder / f"{model.name}.keras")
        for maintain, parts in updated.items():
            parts.head.save(folder / f"head_updated_{VARIANTS[maintain]}.keras")
            if maintain == "rotation":
                name = self.config.reference
                extractor = parts.extractors[name]
                extractor.save(folder / f"{name}_extractor_updated.keras")

    # Files -----------------------------------------------------------------------------------

    def _ship(self, pairs: shipping.Pairs) -> None:
        self.terminal.phase("Writing SavedModels and LiteRT files")
        names = prepare(self.config, self.all_data, self.config.seed).dataset.class_names
        with self.record.phase("export"):
            for written in shipping.write(pairs, names):
                relative = written.path.relative_to(self.folder.partial)
                self.terminal.line(f"{relative}: {written.size_bytes / 1024:,.0f} KiB")
        self.terminal.phase("Running the files in a fresh process, on the test images")
        with self.record.phase("run_again"):
            self._evaluate_files(pairs)

    def _evaluate_files(self, pairs: shipping.Pairs) -> None:
        test = prepare(self.config, self.all_data, self.config.seed).test
        checked = shipping.images_to_check(test)
        keys: dict[str, Any] = {
            "head": self.config.reference,
            "stage": "updated",
            "statistics": "moving",
            "seed": self.config.seed,
        }
        if len(checked) < len(test):
            self.terminal.line(f"on {len(checked):,} of the {len(test):,}, as they are not held")
            keys["images"] = len(checked)
        images, labels = read(checked)
        expected = {key: shipping.keras_logits(pair, images) for key, pair in pairs.items()}
        for (variant, name, runtime), logits in shipping.run_again(pairs, images).items():
            accuracy = evaluation.accuracy(logits, labels)
            keys.update(extractor=name, variant=variant, runtime=runtime)
            self.record.add("accuracy", accuracy, subset="all", **keys)
            for metric, difference, most in (
                (
                    "max_logit_difference",
                    float(np.max(np.abs(logits - expected[variant, name]))),
                    shipping.LOGIT_TOLERANCE,
                ),
                (
                    "accuracy_difference",
                    abs(accuracy - evaluation.accuracy(expected[variant, name], labels)),
                    shipping.ACCURACY_TOLERANCE,
                ),
            ):
                self.record.add(metric, difference, **keys)
                if difference > most:
                    self.terminal.line(
                        f"warning: {name} ({variant}) as {runtime} differs from Keras: {metric} is "
                        f"{difference:.2g}; expected at most {most:g}"
                    )

    def _callbacks(self, seed: int) -> Callable[[str], list[keras.callbacks.Callback]]:
        def make(stage: str) -> list[keras.callbacks.Callback]:
            how = {"initial": self.config.joint, "bound": self.config.bound}
            rounds = how.get(stage.split("_")[0], self.config.update).rounds
            found: list[keras.callbacks.Callback] = [RoundsBar(rounds)]
            if self.logs:
                logs = self.folder.partial / LOGS / f"seed{seed}" / stage
                found.append(_Logs(logs, write_graph=False, update_freq=10))
            return found

        return make


class _Logs(keras.callbacks.TensorBoard):
    """Keras' logs, which go on at the trainer's round."""

    def on_train_begin(self, logs: Any = None) -> None:
        super().on_train_begin(logs)
        # Keras counts from 0 at every `fit`, and has no public way to say otherwise.
        self._global_train_batch = self.model.rounds


def _accuracy(
    extractor: keras.Model,
    head: keras.Model,
    examples: Examples | StreamedExamples,
    statistics: str = "batch",
) -> float:
    logits, labels = evaluation.predict_logits(
        extractor, head, examples, shipping.EVALUATION_BATCH, statistics
    )
    return evaluation.accuracy(logits, labels)


def _missing_for_logs() -> list[str]:
    return [package for package in ("tensorflow", "tensorboard") if not installed(package)]
