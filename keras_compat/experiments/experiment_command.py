"""Command that runs an experiment: flags derived from its settings, and its place."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from importlib import import_module
from typing import Any

from keras_compat.errors import InputError
from keras_compat.experiments import command_line
from keras_compat.experiments.fields import setting
from keras_compat.experiments.flags import (
    add_field,
    add_settings,
    given,
    where_names_are_listed,
)
from keras_compat.experiments.settings import (
    CHECKPOINT_SECONDS,
    Resuming,
    RunSettings,
    TrainingSettings,
)
from keras_compat.experiments.start_up import quiet_start, share_accelerators, spread_operations
from keras_compat.experiments.training import ask_for_profiles
from keras_compat.printing import Parser


@dataclass(kw_only=True)
class RunOptions:
    """Options of a run that its results do not depend on.

    Args:
        output_dir: Folder of the run.
        overwrite: Whether to replace a run that is in the folder.
        resume: Whether an interrupted run goes on where it was, or begins anew.
        checkpoint_seconds: Seconds between two checkpoints of a training; 0 for none.
        jobs: Number of work items, such as networks, to work on at a time.
        profile: Whether a trace of a few rounds of each training is written for TensorBoard.
        distribution: Devices to train on: none, auto (all accelerators of this machine), mirrored,
            multi_worker or tpu (TensorFlow), data_parallel or multi_worker (JAX).
    """

    output_dir: str | None = setting(None, form="FOLDER")
    overwrite: bool = False
    resume: bool = True
    checkpoint_seconds: float = CHECKPOINT_SECONDS
    jobs: int = 1
    profile: bool = False
    distribution: str = "auto"


class ExperimentCommand:
    """Command that runs an experiment: a function of the arguments after the program's name.

    Args:
        experiment: Name of the experiment's folder in `keras_compat.experiments`.
        text: Docstring of the app; what follows the line `Examples:` is the end of the help.
    """

    def __init__(self, experiment: str, text: str):
        self._experiment = experiment
        self._text = text

    def main(self) -> None:
        """Runs the command with the arguments of the program, to its exit code."""
        command_line.main(self)

    def __call__(self, arguments: Sequence[str]) -> None:
        """Reads the flags and runs the experiment."""
        presets = Parser(add_help=False, allow_abbrev=False)
        presets.add_argument("--preset", default="demo")
        preset = presets.parse_known_args(arguments)[0].preset
        flags = self.make_parser(preset).parse_args(arguments)
        usual = self._output_dir(self._module("presets").PRESETS[preset])
        with _plugins_first(flags.output_dir or usual):
            settings = self.configure(flags)
        resuming = Resuming(flags.resume, flags.checkpoint_seconds)
        command_line.choose_backend()
        if flags.jobs > 1 or settings.shares_devices:
            share_accelerators()
        start_distribution(flags.distribution, list(settings.stages().values()), flags.jobs)
        with quiet_start():
            from keras_compat.experiments.loading import check_names
            from keras_compat.experiments.runner.runner import run

            experiment = self._module("experiment").EXPERIMENT
        place = flags.output_dir or self._output_dir(settings)
        with _plugins_first(place):
            check_names(settings)
        run(experiment, settings, place, flags.overwrite, flags.jobs, resuming)

    def make_parser(self, preset: str = "demo") -> argparse.ArgumentParser:
        """Returns the parser of the flags; each that is left out keeps the preset's value.

        Args:
            preset: Name of the preset whose values the help shows.

        Raises:
            InputError: If the preset is unknown.
        """
        presets = self._module("presets").PRESETS
        settings = presets[preset]
        text, _, end = self._text.partition("\nExamples:\n")
        end = f"names:\n{where_names_are_listed(settings)}\n\nexamples:\n{end}"
        parser = command_line.make_parser(text, end, f"python -m apps.{self._experiment}")
        run = parser.add_argument_group("run")
        changed = "Settings that the other flags change; their values are in brackets. Choices: "
        told = f"{changed}{', '.join(presets)}. [{preset}]"
        run.add_argument("--preset", metavar="NAME", default=preset, help=told)
        add_options(run, output_dir=self._output_dir(settings))
        add_settings(parser, settings, run)
        return parser

    def configure(self, flags: argparse.Namespace) -> RunSettings:
        """Returns the settings of the preset with the flags in them.

        Raises:
            InputError: If the preset is unknown or a flag does not fit.
        """
        if flags.profile:
            ask_for_profiles()
        settings = self._module("presets").PRESETS[flags.preset]
        return settings.changed(given(flags, settings.stages(), type(settings)))

    def _module(self, name: str) -> Any:
        return import_module(f"keras_compat.experiments.{self._experiment}.{name}")

    def _output_dir(self, settings: RunSettings) -> str:
        return f"runs/{self._experiment}/{settings.preset}-{settings.data_name}"


@contextmanager
def _plugins_first(place: str) -> Iterator[None]:
    """Says of an unknown name first that the interrupted run in `place` has it from a plugin."""
    try:
        yield
    except InputError:
        from keras_compat.experiments.runner.run_folder import check_plugins

        check_plugins(place)
        raise


def add_options(group: argparse._ActionsContainer, *names: str, **shown: Any) -> None:
    """Adds the flags of a run's options.

    Args:
        group: Parser or group to add the flags to.
        *names: Names of the options; by default all.
        **shown: Values that the help shows instead of the defaults.
    """
    for field in fields(RunOptions):
        if not names or field.name in names:
            group.set_defaults(**{field.name: field.default})
            add_field(group, RunOptions, field, [shown.get(field.name, field.default)])


def start_distribution(name: str, stages: Sequence[TrainingSettings], jobs: int = 1) -> None:
    """Loads Keras, and begins to train on some devices.

    Args:
        name: Kind of devices, see `RunOptions`.
        stages: Settings of the stages of training.
        jobs: Number of processes that share the machine.

    Raises:
        InputError: If these devices cannot be used, or a batch cannot be split over them.
    """
    if jobs > 1:
        if name not in ("auto", "none"):
            raise InputError(
                f"--jobs is {jobs} and --distribution is {name!r}; expected one of them: each of "
                "several jobs trains on a device of its own"
            )
        name = "none"
    else:
        spread_operations()
    with quiet_start():
        from keras_compat.experiments.runner.distributed_files import start_workers
    start_workers(name, stages)
