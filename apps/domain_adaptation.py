"""Adapts a network to images without labels; its classifier stays as it is.

See Sec. 5.1 of the paper.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apps import command_line
from apps import flags as common
from keras_compat.experiments.start_up import quiet_start, share_accelerators

if TYPE_CHECKING:
    from keras_compat.experiments.domain_adaptation.settings import Config

EXAMPLES = """examples:
  python -m apps.domain_adaptation
  python -m apps.domain_adaptation --source=folder:shop --target=folder:street --image_size=64
  python -m apps.domain_adaptation --network=runs/domain_adaptation/NAME/networks/mnist5k \\
      --target=folder:scans
  python -m apps.domain_adaptation --preset=cpu --source=cifar10 --target=stl10 --download

A folder is laid out as train/ and test/, in each a folder a class. A target may also be a folder
of image files alone: then there is nothing to measure accuracy by.

A run that was killed goes on with the same command. With --overwrite and more --seeds a finished
one grows, and keeps what it has trained.
"""


# Flags that make no sense beside a network that is trained.
OF_SOURCE = (
    "source",
    "image_size",
    "channels",
    "both",
    "architecture",
    "auxiliaries",
    "auxiliary_weight",
    "auxiliary_fraction",
    "auxiliary_every",
    "rounds",
    "learning_rate",
    "rotation_init",
    "rotation_rounds",
    "rotation_learning_rate",
)


def make_parser() -> argparse.ArgumentParser:
    """Returns the flags; each that is left out keeps what the preset says."""
    parser = command_line.parser(__doc__, EXAMPLES)
    flags = common.add_run(parser, "runs/domain_adaptation/PRESET-SOURCE-TARGET")
    flags.add_argument("--jobs", type=int, default=1, help="networks to work on at a time (1)")
    flags.add_argument(
        "--both",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="adapt in both directions, where the target has labels",
    )
    flags = common.add_data(parser)
    flags.add_argument("--source", help="labelled images")
    flags.add_argument("--target", help="images to adapt to; labels tell common classes and test")
    flags.add_argument("--network", help="the folder of a stored network to adapt; no --source")
    flags.add_argument(
        "--rotation_init", help="images that the rotation head learns on first, or none"
    )
    flags.add_argument("--evaluation_batch_size", type=int, help="of batch statistics")
    flags = parser.add_argument_group("source network")
    flags.add_argument("--architecture", help="ARCHITECTURE@SPLIT")
    flags.add_argument(
        "--auxiliaries",
        help="with commas between: rotation, jigsaw, colorization, exemplar, contrastive",
    )
    flags.add_argument("--auxiliary_weight", type=float, help="of every auxiliary loss")
    flags.add_argument("--rotation_assignment", help="random, cyclic or all")
    common.add_auxiliary_cost(flags)
    common.add_training(flags, "", "the source network")
    common.add_training(flags, "rotation_", "the rotation head on --rotation_init")
    flags.add_argument("--batch_size", type=int, help="of every training")
    flags = parser.add_argument_group("adaptation")
    common.add_training(flags, "adaptation_", "the extractor on the target")
    flags.add_argument("--learning_rates", help="more to choose among, with commas between")
    flags.add_argument("--layers", help="to choose among: all, normalization, first_half")
    flags.add_argument("--choose_by", help="mutual_information, loss or published")
    flags.add_argument("--checkpoints", type=int, help="how often accuracy and loss are taken")
    flags.add_argument("--held_out", type=float, help="part of the target that nothing learns from")
    return parser


def configure(flags: argparse.Namespace) -> Config:
    """Returns the preset with the flags in it.

    Raises:
        InputError: if the preset is unknown or a flag does not fit.
    """
    from keras_compat.errors import InputError
    from keras_compat.experiments.domain_adaptation.presets import PRESETS

    changes: dict[str, Any] = {}
    if flags.network is not None:
        useless = [name for name in OF_SOURCE if getattr(flags, name) is not None]
        if useless:
            raise InputError(
                f"--{useless[0]} is of a source network to train, but --network={flags.network} is "
                "trained; leave one of them out"
            )
        # What the preset says of a source makes way.
        changes.update(source=None, rotation_init=None, image_size=None, channels=None, both=False)
    elif flags.rotation_init == "none":
        changes["rotation_init"] = None
        flags.rotation_init = None
    for name in ("auxiliaries", "layers"):
        if getattr(flags, name) is not None:
            changes[name] = tuple(common.words(getattr(flags, name)))
    if flags.learning_rates is not None:
        changes["learning_rates"] = tuple(common.numbers(flags.learning_rates, "learning_rates"))
    names = (
        "source",
        "target",
        "network",
        "rotation_init",
        "evaluation_batch_size",
        "architecture",
        "auxiliary_weight",
        "rotation_assignment",
        "choose_by",
        "checkpoints",
        "held_out",
        "both",
    )
    stages = {"training": "", "rotation_training": "rotation_", "adaptation": "adaptation_"}
    return common.changed(PRESETS[flags.preset], flags, names, stages, changes)


def run(arguments: Sequence[str]) -> None:
    """Reads the flags and runs the job."""
    flags = make_parser().parse_args(arguments)
    config, resuming = configure(flags), common.resuming(flags)
    command_line.choose_backend()
    if flags.jobs > 1:
        share_accelerators()
    common.start_distribution(flags, vars(config).values(), flags.jobs)
    with quiet_start():
        from keras_compat.experiments.domain_adaptation.experiment import EXPERIMENT
        from keras_compat.experiments.runner.runner import run as run_experiment
    source = common.file_name(Path(config.network).name if config.network else config.source)
    name = f"{config.preset}-{source}-{common.file_name(config.target)}"
    place = flags.output_dir or f"runs/domain_adaptation/{name}"
    run_experiment(EXPERIMENT, config, place, flags.overwrite, flags.jobs, resuming)


if __name__ == "__main__":
    command_line.main(run)
