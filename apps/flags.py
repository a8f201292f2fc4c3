"""Flags that several apps have, and what they say."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from keras_compat import escaping
from keras_compat.errors import InputError
from keras_compat.experiments.profiling import ask_for_profiles
from keras_compat.experiments.runner.resume_options import CHECKPOINT_SECONDS, Resuming
from keras_compat.experiments.start_up import quiet_start, spread_operations

if TYPE_CHECKING:
    from keras_compat.experiments.training import Training

Settings = TypeVar("Settings")

# Beside a preset's name, within the 255 bytes that file systems take.
_LONGEST_FILE_NAME = 200

# Those that have the name of the setting that they change.
RUN = ("seeds", "seed")
AUXILIARY_COST = ("auxiliary_fraction", "auxiliary_every")
HOW = ("precision", "batch_statistics_over")
DATA = ("data_dir", "download", "image_size", "channels", "memory_limit_gib", "augment")


def add_run(parser: argparse.ArgumentParser, default_place: str) -> argparse._ArgumentGroup:
    """Adds the flags that say what to run and where its files go; returns their group."""
    flags = parser.add_argument_group("what to run")
    flags.add_argument("--preset", default="demo", help="demo (default), cpu or paper")
    flags.add_argument("--output_dir", help=f"default: {default_place}")
    flags.add_argument("--overwrite", action="store_true", help="replace what is in output_dir")
    flags.add_argument(
        "--resume",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="go on where an interrupted run was (default), or begin it anew",
    )
    flags.add_argument(
        "--checkpoint_seconds",
        type=float,
        default=CHECKPOINT_SECONDS,
        help=f"between two checkpoints of a training ({CHECKPOINT_SECONDS:g}); 0: none",
    )
    flags.add_argument("--seeds", type=int, help="how many runs; the report gives mean and std")
    flags.add_argument("--seed", type=int, help="of the first run")
    flags.add_argument(
        "--profile",
        action="store_true",
        help="trace a few rounds of each training into the folder profile, for TensorBoard",
    )
    add_precision(flags)
    add_distribution(parser)
    return flags


def resuming(flags: argparse.Namespace) -> Resuming:
    """Returns what the flags of `add_run` say of interruptions.

    Raises:
        InputError: if a flag does not fit.
    """
    return Resuming(flags.resume, flags.checkpoint_seconds)


def add_distribution(parser: argparse.ArgumentParser) -> None:
    """Adds the flags that say on which devices to train."""
    flags = parser.add_argument_group("devices")
    flags.add_argument(
        "--distribution",
        default="auto",
        help="none, mirrored, multi_worker or tpu (TensorFlow), data_parallel or multi_worker "
        "(JAX); auto (default): all accelerators of this machine",
    )
    flags.add_argument(
        "--batch_statistics_over",
        help="what normalization sees in training: the global batch (default), or the part of "
        "each device",
    )


def start_distribution(flags: argparse.Namespace, stages: Iterable[Any], jobs: int = 1) -> None:
    """Loads Keras, and begins to train on the devices that the flags name.

    Args:
        flags: those of `add_distribution`.
        stages: how the job trains; what is not a `Training` is passed over.
        jobs: how many processes share the machine.

    Raises:
        InputError: if these devices cannot be used, or a batch cannot be split over them.
    """
    name = flags.distribution
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
        from keras_compat.experiments.training import Training
    start_workers(name, [how for how in stages if isinstance(how, Training)])


def add_data(parser: argparse.ArgumentParser, aliases: bool = True) -> argparse._ArgumentGroup:
    """Adds the flags that say how data are read; returns their group.

    Args:
        parser: where to.
        aliases: whether classes of several data sets are compared by their names.
    """
    flags = parser.add_argument_group("data")
    flags.add_argument("--data_dir", help="where TensorFlow Datasets keeps its data")
    flags.add_argument(
        "--download", action="store_true", default=None, help="let TensorFlow Datasets download"
    )
    flags.add_argument("--image_size", type=int, help="pixels a side that all images become")
    flags.add_argument("--channels", type=int, help="1: grey, 3: colour; default: as the data are")
    if aliases:
        flags.add_argument(
            "--aliases",
            help="other names of classes, NAME=CLASS with commas between: kitten=cat,...",
        )
    flags.add_argument(
        "--memory_limit_gib",
        type=float,
        help="TensorFlow Datasets sets of more pixels are streamed, other data refused (4)",
    )
    flags.add_argument("--augment", action=argparse.BooleanOptionalAction, default=None)
    return flags


def add_precision(group: argparse._ArgumentGroup | argparse.ArgumentParser) -> None:
    """Adds the flag that says what training computes in."""
    group.add_argument(
        "--precision",
        help="of training: float32 (default), mixed_bfloat16 or mixed_float16",
    )


def add_auxiliary_cost(group: argparse._ArgumentGroup) -> None:
    """Adds the flags that make auxiliary tasks cheaper."""
    group.add_argument(
        "--auxiliary_fraction",
        type=float,
        help="of each batch that tasks with images of their own see, such as rotation (1)",
    )
    group.add_argument(
        "--auxiliary_every",
        type=int,
        help="these tasks take part in every so many rounds (1)",
    )


def add_training(group: argparse._ArgumentGroup, prefix: str, what: str) -> None:
    """Adds the flags of one stage of training."""
    group.add_argument(f"--{prefix}rounds", type=int, help=f"steps of {what}")
    group.add_argument(f"--{prefix}learning_rate", type=float)


def given(flags: argparse.Namespace, names: Iterable[str]) -> dict[str, Any]:
    """Returns the flags that were given among those of some names."""
    return {name: getattr(flags, name) for name in names if getattr(flags, name) is not None}


def changed(
    config: Settings,
    flags: argparse.Namespace,
    names: Iterable[str],
    stages: Mapping[str, str],
    changes: Mapping[str, Any],
) -> Settings:
    """Returns a configuration with flags in it.

    Args:
        config: of the preset.
        flags: those of the functions above, and the app's own.
        names: the app's own flags that have the name of a setting.
        stages: the settings that say how a stage trains, each with the prefix of its flags.
        changes: settings that the app read from its flags in a way of its own.
    """
    if flags.profile:
        ask_for_profiles()
    found = {**given(flags, (*RUN, *DATA, *AUXILIARY_COST, *names)), **changes}
    aliases = getattr(flags, "aliases", None)
    if aliases is not None:
        found["aliases"] = pairs(words(aliases), "alias", "NAME=CLASS")
    for name, prefix in stages.items():
        found[name] = changed_training(getattr(config, name), flags, prefix)
    return replace(config, **found)


def changed_training(training: Training, flags: argparse.Namespace, prefix: str) -> Training:
    """Returns how a stage trains, with the flags of `add_training` and `--batch_size` in it."""
    rounds = getattr(flags, f"{prefix}rounds")
    rate = getattr(flags, f"{prefix}learning_rate")
    changes: dict[str, Any] = {}
    if rounds is not None:
        # Drops stay at the same parts of the way.
        drops = tuple(round(d * rounds / training.rounds) for d in training.drops)
        changes.update(rounds=rounds, drops=drops)
    if rate is not None:
        changes["learning_rate"] = rate
    changes.update(given(flags, ("batch_size", *HOW)))
    return replace(training, **changes)


def words(text: str) -> list[str]:
    """Returns what stands between commas."""
    return [word.strip() for word in text.split(",") if word.strip()]


def numbers(text: str, flag: str) -> list[float]:
    """Returns the numbers that stand between commas.

    Raises:
        InputError: if one is not a number.
    """
    try:
        return [float(word) for word in words(text)]
    except ValueError:
        raise InputError(f"{flag} is {text!r}; expected numbers with commas between") from None


def pairs(words: Sequence[str], kind: str, form: str) -> dict[str, str]:
    """Reads words of the form `NAME=VALUE`.

    Raises:
        InputError: if one has another form, or a name comes twice.
    """
    found: dict[str, str] = {}
    for word in words:
        name, _, value = word.partition("=")
        if not name or not value or name in found:
            raise InputError(f"{kind} {word!r}; expected {form}, each name once")
        found[name] = value
    return found


def file_name(*specs: str) -> str:
    """Returns data sets' specs as part of a file name, in which plain ones can be read.

    Example:

    >>> file_name("imagenet_resized/32x32", "npz:data/stl10.npz")
    'imagenet_resized_32x32-npz_data_stl10.npz'
    """
    plain = [escaping.file_name(spec.replace("/", "_").replace(":", "_")) for spec in specs]
    joined = "-".join(plain)
    return joined if len(joined) <= _LONGEST_FILE_NAME else escaping.file_name(joined)
