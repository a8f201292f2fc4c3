"""Trains one head for every device's extractor, updates it on one of them, ships it to all.

See Sec. 5.2 and Appendix B.7 of the paper, and the README.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from apps import command_line
from apps import flags as common
from keras_compat.experiments.start_up import quiet_start, share_accelerators

if TYPE_CHECKING:
    from keras_compat.experiments.classifier_transfer.settings import Config

EXAMPLES = """examples:
  python -m apps.classifier_transfer
  python -m apps.classifier_transfer --dataset=mnist5k --seeds=3
  python -m apps.classifier_transfer --preset=cpu --dataset=cifar10 --download
  python -m apps.classifier_transfer --dataset=folder:my_images --image_size=32 \\
      --initial_classes=cat,dog --extractors "server=resnet20 phone=mobilenet_v2_small@block2" \\
      --reference=server

A run that was killed goes on with the same command.
"""


def make_parser() -> argparse.ArgumentParser:
    """Returns the flags; each that is left out keeps what the preset says."""
    parser = command_line.parser(__doc__, EXAMPLES)
    flags = common.add_run(parser, "runs/classifier_transfer/PRESET-DATASET")
    flags.add_argument("--jobs", type=int, default=1, help="trainings to work on at a time (1)")
    flags = common.add_data(parser)
    flags.add_argument(
        "--dataset", help="digits, mnist5k, a TensorFlow Datasets name, folder:PATH or npz:PATH"
    )
    flags.add_argument("--initial_classes", help="a count, or names with commas between them")
    flags.add_argument("--recalibration_images", type=int, help="set aside, used without labels")
    flags = parser.add_argument_group("networks")
    flags.add_argument(
        "--extractors",
        help='NAME=ARCHITECTURE[@SPLIT] with spaces between: "a=resnet20@stage2 ..."',
    )
    flags.add_argument("--head", help="ARCHITECTURE@SPLIT whose later blocks are the shared head")
    flags.add_argument("--reference", help="the extractor that the new head is trained on")
    flags.add_argument(
        "--interface_channels",
        type=int,
        help="of the 1x1 convolution after every extractor; 0: none",
    )
    flags = parser.add_argument_group("training")
    flags.add_argument(
        "--rotation",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="a shared rotation head in the first stage",
    )
    common.add_auxiliary_cost(flags)
    flags.add_argument(
        "--maintain", help="extractor, rotation (Appendix B.7) or extractor,rotation"
    )
    flags.add_argument("--upper_bounds", help="none, original or all")
    flags.add_argument(
        "--export",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="files for servers and phones; default: where the packages for it are installed",
    )
    for stage, what in (
        ("joint", "the first stage"),
        ("update", "the new head"),
        ("bound", "the upper bounds"),
    ):
        common.add_training(flags, f"{stage}_", what)
    flags.add_argument("--batch_size", type=int, help="of every stage")
    return parser


def configure(flags: argparse.Namespace) -> Config:
    """Returns the preset with the flags in it.

    Raises:
        InputError: if the preset is unknown or a flag does not fit.
    """
    from keras_compat.experiments.classifier_transfer.presets import PRESETS

    changes: dict[str, Any] = {}
    if flags.maintain is not None:
        changes["maintain"] = tuple(common.words(flags.maintain))
    if flags.extractors is not None:
        words = flags.extractors.split()
        form = "NAME=ARCHITECTURE[@SPLIT]"
        changes["extractors"] = common.pairs(words, "extractor", form)
    names = (
        "dataset",
        "initial_classes",
        "recalibration_images",
        "head",
        "reference",
        "interface_channels",
        "rotation",
        "upper_bounds",
        "export",
    )
    stages = {"joint": "joint_", "update": "update_", "bound": "bound_"}
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
        from keras_compat.experiments.classifier_transfer.experiment import EXPERIMENT
        from keras_compat.experiments.runner.runner import run as run_experiment
    data = common.file_name(config.dataset)
    output_dir = flags.output_dir or f"runs/classifier_transfer/{config.preset}-{data}"
    run_experiment(EXPERIMENT, config, output_dir, flags.overwrite, flags.jobs, resuming)


if __name__ == "__main__":
    command_line.main(run)
