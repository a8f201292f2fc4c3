"""Command that runs an experiment: flags derived from its settings, and where it writes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from keras_compat.errors import InputError
from keras_compat.experiments import command_line
from keras_compat.experiments.flags import add_settings, given, where_names_are_listed
from keras_compat.experiments.profiling import ask_for_profiles
from keras_compat.experiments.runner.resume_options import CHECKPOINT_SECONDS, Resuming
from keras_compat.experiments.settings import RunSettings, TrainingSettings
from keras_compat.experiments.start_up import quiet_start, share_accelerators, spread_operations
from keras_compat.printing import Parser
from keras_compat.registry import Registry


class ExperimentCommand:
    """Command that runs an experiment: a function of the arguments after the program's name.

    Args:
        experiment: Name of the experiment's folder in `keras_compat.experiments`.
        text: Docstring of the app; what follows the line `Examples:` is the end of the help.
        jobs: Whether the experiment can work on several items at a time.
    """

    def __init__(self, experiment: str, text: str, jobs: bool = True):
        self._experiment = experiment
        self._text = text
        self._jobs = jobs

    def __call__(self, arguments: Sequence[str]) -> None:
        """Reads the flags and runs the experiment."""
        flags = self.make_parser(_preset(arguments)).parse_args(arguments)
        settings = self.configure(flags)
        resuming = Resuming(flags.resume, flags.checkpoint_seconds)
        command_line.choose_backend()
        if flags.jobs > 1 or settings.shares_devices:
            share_accelerators()
        start_distribution(flags.distribution, list(settings.stages().values()), flags.jobs)
        with quiet_start():
            from keras_compat.experiments.loading import check_names

            experiment = self._module("experiment")
        check_names(settings)
        jobs = {"jobs": flags.jobs} if self._jobs else {}
        output_dir = flags.output_dir or self._output_dir(settings)
        experiment.run(settings, output_dir, flags.overwrite, resuming=resuming, **jobs)

    def main(self) -> None:
        """Runs the command with the arguments of the program, to its exit code."""
        command_line.main(self)

    def make_parser(self, preset: str = "demo") -> argparse.ArgumentParser:
        """Returns the parser of the flags; each that is left out keeps the preset's value.

        Args:
            preset: Name of the preset whose values the help shows.

        Raises:
            InputError: If the preset is unknown.
        """
        presets: Registry[RunSettings] = self._module("presets").PRESETS
        settings = presets[preset]
        text, _, end = self._text.partition("\nExamples:\n")
        names = where_names_are_listed(settings)
        parser = command_line.make_parser(
            text,
            f"names:\n{names}\n\nexamples:\n{end}",
            f"python -m apps.{self._experiment}",
        )
        parser.set_defaults(resume=True)
        run = parser.add_argument_group("run")
        run.add_argument(
            "--preset",
            metavar="NAME",
            default=preset,
            help="Settings that the other flags change; their values are in brackets below. "
            f"Choices: {', '.join(presets)}. [{preset}]",
        )
        run.add_argument(
            "--output_dir",
            metavar="FOLDER",
            help=f"Folder of the run. [{self._output_dir(settings)}]",
        )
        run.add_argument(
            "--overwrite", action="store_true", help="Replace what is in the folder of the run."
        )
        run.add_argument(
            "--resume",
            action=argparse.BooleanOptionalAction,
            default=argparse.SUPPRESS,
            help="Whether an interrupted run goes on where it was, or begins anew. [yes]",
        )
        run.add_argument(
            "--checkpoint_seconds",
            metavar="X",
            type=float,
            default=CHECKPOINT_SECONDS,
            help="Seconds between two checkpoints of a training; 0 for none. "
            f"[{CHECKPOINT_SECONDS:g}]",
        )
        if self._jobs:
            run.add_argument(
                "--jobs",
                metavar="N",
                type=int,
                default=1,
                help="Number of work items, such as networks, to work on at a time. [1]",
            )
        else:
            parser.set_defaults(jobs=1)
        run.add_argument(
            "--profile",
            action="store_true",
            help="Write a trace of a few rounds of each training for TensorBoard.",
        )
        add_distribution(run)
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


def _preset(arguments: Sequence[str]) -> str:
    """Returns the name of the preset among the arguments, which the help is about."""
    parser = Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--preset", default="demo")
    return parser.parse_known_args(arguments)[0].preset


def add_distribution(group: argparse._ActionsContainer) -> None:
    """Adds the flag that says on which devices to train."""
    group.add_argument(
        "--distribution",
        metavar="NAME",
        default="auto",
        help="Devices to train on. Choices: auto (all accelerators of this machine), none, "
        "mirrored and tpu (TensorFlow), data_parallel (JAX), multi_worker. [auto]",
    )


def start_distribution(name: str, stages: Sequence[TrainingSettings], jobs: int = 1) -> None:
    """Loads Keras, and begins to train on some devices.

    Args:
        name: Value of the flag of `add_distribution`.
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
