"""Trains one head for every device's extractor, updates it on one of them, ships it to all.

See Sec. 5.2 and Appendix B.7 of the paper, and the README.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from apps import command_line
from keras_compat.errors import InputError

if TYPE_CHECKING:
    from keras_compat.jobs.classifier_transfer.config import Config

EXAMPLES = """examples:
  python -m apps.classifier_transfer
  python -m apps.classifier_transfer --dataset=mnist5k --seeds=3
  python -m apps.classifier_transfer --preset=cpu --dataset=cifar10 --download
  python -m apps.classifier_transfer --dataset=folder:my_images --image_size=32 \\
      --initial_classes=cat,dog --extractors "server=resnet20 phone=mobilenet_v2_small@block2" \\
      --reference=server
"""


def make_parser() -> argparse.ArgumentParser:
    """Returns the flags; each that is left out keeps what the preset says."""
    parser = command_line.parser(__doc__, EXAMPLES)
    flags = parser.add_argument_group("what to run")
    flags.add_argument("--preset", default="demo", help="demo (default), cpu or paper")
    flags.add_argument("--output_dir", help="default: runs/classifier_transfer/PRESET-DATASET")
    flags.add_argument("--overwrite", action="store_true", help="replace what is in output_dir")
    flags.add_argument("--seeds", type=int, help="how many runs; the report gives mean and std")
    flags.add_argument("--seed", type=int, help="of the first run")
    flags = parser.add_argument_group("data")
    flags.add_argument(
        "--dataset", help="digits, mnist5k, a TensorFlow Datasets name, folder:PATH or npz:PATH"
    )
    flags.add_argument("--data_dir", help="where TensorFlow Datasets keeps its data")
    flags.add_argument(
        "--download", action="store_true", default=None, help="let TensorFlow Datasets download"
    )
    flags.add_argument("--image_size", type=int, help="pixels a side that all images become")
    flags.add_argument("--channels", type=int, help="1: grey, 3: colour; default: as the data are")
    flags.add_argument("--initial_classes", help="a count, or names with commas between them")
    flags.add_argument(
        "--aliases", help="other names of classes, NAME=CLASS with commas between: kitten=cat,..."
    )
    flags.add_argument(
        "--memory_limit_gib",
        type=float,
        help="TensorFlow Datasets sets of more pixels are read as they are needed (4)",
    )
    flags.add_argument("--recalibration_images", type=int, help="set aside, used without labels")
    flags.add_argument("--augment", action=argparse.BooleanOptionalAction, default=None)
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
        flags.add_argument(f"--{stage}_rounds", type=int, help=f"steps of {what}")
        flags.add_argument(f"--{stage}_learning_rate", type=float)
    flags.add_argument("--batch_size", type=int, help="of every stage")
    return parser


def configure(flags: argparse.Namespace) -> Config:
    """Returns the preset with the flags in it.

    Raises:
        InputError: if the preset is unknown or a flag does not fit.
    """
    from keras_compat.jobs.classifier_transfer.presets import PRESETS

    config = PRESETS[flags.preset]
    simple = (
        "dataset",
        "data_dir",
        "download",
        "image_size",
        "channels",
        "memory_limit_gib",
        "initial_classes",
        "recalibration_images",
        "augment",
        "head",
        "reference",
        "interface_channels",
        "rotation",
        "upper_bounds",
        "export",
        "seeds",
        "seed",
    )
    changes: dict[str, Any] = {
        name: getattr(flags, name) for name in simple if getattr(flags, name) is not None
    }
    if flags.maintain is not None:
        changes["maintain"] = tuple(flags.maintain.split(","))
    if flags.extractors is not None:
        words = flags.extractors.split()
        changes["extractors"] = _pairs(words, "extractor", "NAME=ARCHITECTURE[@SPLIT]")
    if flags.aliases is not None:
        words = [word.strip() for word in flags.aliases.split(",")]
        changes["aliases"] = _pairs(words, "alias", "NAME=CLASS")
    for stage in ("joint", "update", "bound"):
        changes[stage] = _stage(getattr(config, stage), flags, stage)
    return replace(config, **changes)


def _stage(training: Any, flags: argparse.Namespace, stage: str) -> Any:
    rounds = getattr(flags, f"{stage}_rounds")
    rate = getattr(flags, f"{stage}_learning_rate")
    changes: dict[str, Any] = {}
    if rounds is not None:
        # Drops stay at the same parts of the way.
        drops = tuple(round(d * rounds / training.rounds) for d in training.drops)
        changes.update(rounds=rounds, drops=drops)
    if rate is not None:
        changes["learning_rate"] = rate
    if flags.batch_size is not None:
        changes["batch_size"] = flags.batch_size
    return replace(training, **changes)


def _pairs(words: Sequence[str], kind: str, form: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for word in words:
        name, _, value = word.partition("=")
        if not name or not value or name in pairs:
            raise InputError(f"{kind} {word!r}; expected {form}, each name once")
        pairs[name] = value
    return pairs


def run(arguments: Sequence[str]) -> None:
    """Reads the flags and runs the job."""
    flags = make_parser().parse_args(arguments)
    config = configure(flags)
    command_line.choose_backend()
    with command_line.quiet_start():
        from keras_compat.jobs.classifier_transfer import job
    data = config.dataset.replace("/", "_").replace(":", "_")
    output_dir = flags.output_dir or f"runs/classifier_transfer/{config.preset}-{data}"
    job.run(config, output_dir, flags.overwrite)


if __name__ == "__main__":
    command_line.main(run)
