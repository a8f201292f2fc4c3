"""Puts the head of a target on the extractors of other sources, and fine-tunes from there.

See Sec. 5.3 of the paper.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from apps import command_line
from apps import flags as common
from keras_compat.experiments.start_up import quiet_start, share_accelerators

if TYPE_CHECKING:
    from keras_compat.experiments.transfer_learning.settings import Config

EXAMPLES = """examples:
  python -m apps.transfer_learning
  python -m apps.transfer_learning --rotation_data=folder:any \\
      --sources=folder:a,folder:b,folder:c --target=folder:mine --image_size=64
  python -m apps.transfer_learning --preset=cpu --download

methods:
  pretrained+rp             source and target learn with one frozen rotation head, and start as the
                            extractor that was trained with that head
  iiw+rp                    the same from the same random weights
  rp                        the same from different weights
  pretrained                as pretrained+rp, but each learns with a rotation head of its own
  independent               the same from different random weights
  pretrained+reinitialized  as pretrained+rp, and fine-tuning starts with a new head
  reinitialized             as independent, and fine-tuning starts with a new head

With several sources they are ranked by how the target's head does on each, before any fine-tuning.
A run that was killed goes on with the same command. With --overwrite and more sources, targets,
methods or seeds a finished one grows, and keeps what it has trained.
"""


def make_parser() -> argparse.ArgumentParser:
    """Returns the flags; each that is left out keeps what the preset says."""
    parser = command_line.parser(__doc__, EXAMPLES)
    flags = common.add_run(parser, "runs/transfer_learning/PRESET-SOURCES-TARGETS")
    flags.add_argument("--methods", help="to compare, with commas between, see below")
    flags.add_argument("--jobs", type=int, default=1, help="networks to work on at a time (1)")
    flags = common.add_data(parser, aliases=False)
    flags.add_argument("--rotation_data", help="labelled images that the rotation head learns on")
    flags.add_argument("--sources", help="with commas between")
    flags.add_argument("--targets", "--target", help="with commas between")
    flags.add_argument("--evaluation_batch_size", type=int, help="of batch statistics")
    flags = parser.add_argument_group("training")
    flags.add_argument("--architecture", help="ARCHITECTURE@SPLIT")
    flags.add_argument("--auxiliary_weight", type=float, help="of rotation's loss")
    flags.add_argument("--rotation_assignment", help="random, cyclic or all")
    common.add_auxiliary_cost(flags)
    common.add_training(flags, "", "each network before it is transferred")
    flags.add_argument("--batch_size", type=int, help="of every training")
    flags = parser.add_argument_group("fine-tuning")
    flags.add_argument("--epochs", type=float, help="on the target")
    flags.add_argument("--fine_tuning_learning_rate", type=float)
    flags.add_argument(
        "--ranking_images", type=int, help="of the target's training images, to rank sources by"
    )
    return parser


def configure(flags: argparse.Namespace) -> Config:
    """Returns the preset with the flags in it.

    Raises:
        InputError: if the preset is unknown or a flag does not fit.
    """
    from keras_compat.experiments.transfer_learning.presets import PRESETS

    changes: dict[str, Any] = {
        name: tuple(common.words(getattr(flags, name)))
        for name in ("methods", "sources", "targets")
        if getattr(flags, name) is not None
    }
    names = (
        "rotation_data",
        "evaluation_batch_size",
        "architecture",
        "auxiliary_weight",
        "rotation_assignment",
        "epochs",
        "fine_tuning_learning_rate",
        "ranking_images",
    )
    return common.changed(PRESETS[flags.preset], flags, names, {"training": ""}, changes)


def run(arguments: Sequence[str]) -> None:
    """Reads the flags and runs the job."""
    flags = make_parser().parse_args(arguments)
    config, resuming = configure(flags), common.resuming(flags)
    command_line.choose_backend()
    if flags.jobs > 1:
        share_accelerators()
    common.start_distribution(flags, vars(config).values(), flags.jobs)
    with quiet_start():
        from keras_compat.experiments.runner.runner import run as run_experiment
        from keras_compat.experiments.transfer_learning.experiment import EXPERIMENT
    data = common.file_name(*config.sources, *config.targets)
    place = flags.output_dir or f"runs/transfer_learning/{config.preset}-{data}"
    run_experiment(EXPERIMENT, config, place, flags.overwrite, flags.jobs, resuming)


if __name__ == "__main__":
    command_line.main(run)
