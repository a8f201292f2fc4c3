"""Measures how compatible each method makes networks, and why, on any data sets.

See Sec. 4 and Appendices A and B of the paper.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from apps import command_line
from apps import flags as common
from keras_compat.experiments.start_up import quiet_start, share_accelerators

if TYPE_CHECKING:
    from keras_compat.experiments.compatibility_analysis.settings import Config

EXAMPLES = """examples:
  python -m apps.compatibility_analysis
  python -m apps.compatibility_analysis --methods=independent,iiw+dcc --seeds=3 --jobs=2
  python -m apps.compatibility_analysis --studies=splits,common_classes,baselines
  python -m apps.compatibility_analysis --preset=cpu --datasets=cifar10,stl10 --download

studies:
  methods         every method (Fig. 2, 3, 10)
  same_data       all networks on the first data set (Appendix B.2)
  incremental     one network after the other, with frozen auxiliary heads (Sec. 3.4, 4)
  pretrained      from weights that learnt rotation on other images (Sec. 4)
  normalization   alternatives to batch statistics, and the batch size at inference (B.1)
  splits          every split point (B.3)
  common_classes  fewer common classes, and as many images of all (B.4)
  baselines       what recombines networks without compatible training
  auxiliaries     jigsaw, colorization, exemplar and contrastive tasks (Appendix A)
  rotation        what moves rotation prediction
  signals         how well what needs no labels predicts recombination accuracy
  calibration     how many images a recombined pair needs for moving statistics
  cost            what each method costs (B.6)

A run that was killed goes on with the same command. A finished one grows with --overwrite and more
studies, methods or seeds: name all that the report is to have; what is trained already is kept.
"""


def make_parser() -> argparse.ArgumentParser:
    """Returns the flags; each that is left out keeps what the preset says."""
    parser = command_line.parser(__doc__, EXAMPLES)
    flags = common.add_run(parser, "runs/compatibility_analysis/PRESET-DATASETS")
    flags.add_argument(
        "--methods",
        help="with commas between: independent, or of iiw, rp, dcc, jigsaw, colorization, "
        "exemplar, contrastive, fm what is joined by +",
    )
    flags.add_argument("--studies", help="with commas between, see below; default: methods")
    flags.add_argument(
        "--jobs", type=int, default=1, help="groups of networks to work on at a time (1)"
    )
    flags = common.add_data(parser)
    flags.add_argument("--datasets", help="one for each network, with commas between")
    flags.add_argument("--pretraining_dataset", help="images for the study pretrained")
    flags.add_argument(
        "--restrict",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="recombined networks choose among the common classes only",
    )
    flags.add_argument("--evaluation_batch_size", type=int, help="of batch statistics")
    flags = parser.add_argument_group("networks")
    flags.add_argument(
        "--architectures",
        help="ARCHITECTURE@SPLIT for all networks, or one each with spaces between",
    )
    flags.add_argument(
        "--interface_channels",
        type=int,
        help="of a 1x1 convolution after every extractor; 0: none",
    )
    flags = parser.add_argument_group("training")
    flags.add_argument("--auxiliary_weight", type=float, help="of every auxiliary loss")
    flags.add_argument("--rotation_weight", type=float, help="of rotation's, if it is another")
    flags.add_argument("--rotation_assignment", help="random, cyclic or all")
    common.add_auxiliary_cost(flags)
    common.add_training(flags, "", "every group of networks")
    common.add_training(flags, "pretraining_", "the pre-training")
    flags.add_argument("--batch_size", type=int, help="of every training")
    return parser


def configure(flags: argparse.Namespace) -> Config:
    """Returns the preset with the flags in it.

    Raises:
        InputError: if the preset is unknown or a flag does not fit.
    """
    from keras_compat.experiments.compatibility_analysis.methods import parse_methods
    from keras_compat.experiments.compatibility_analysis.presets import PRESETS

    changes: dict[str, Any] = {}
    if flags.methods is not None:
        changes["methods"] = parse_methods(flags.methods)
    for name in ("studies", "datasets"):
        if getattr(flags, name) is not None:
            changes[name] = tuple(common.words(getattr(flags, name)))
    if flags.architectures is not None:
        changes["architectures"] = tuple(flags.architectures.split())
    names = (
        "pretraining_dataset",
        "restrict",
        "evaluation_batch_size",
        "interface_channels",
        "auxiliary_weight",
        "rotation_weight",
        "rotation_assignment",
    )
    stages = {"training": "", "pretraining": "pretraining_"}
    return common.changed(PRESETS[flags.preset], flags, names, stages, changes)


def run(arguments: Sequence[str]) -> None:
    """Reads the flags and runs the analysis."""
    flags = make_parser().parse_args(arguments)
    config, resuming = configure(flags), common.resuming(flags)
    command_line.choose_backend()
    # Cells or costs are then worked on in other processes too.
    if flags.jobs > 1 or "cost" in config.studies:
        share_accelerators()
    common.start_distribution(flags, vars(config).values(), flags.jobs)
    with quiet_start():
        from keras_compat.experiments.compatibility_analysis.experiment import EXPERIMENT
        from keras_compat.experiments.runner.runner import run as run_experiment
    data = common.file_name(*config.datasets)
    output_dir = flags.output_dir or f"runs/compatibility_analysis/{config.preset}-{data}"
    run_experiment(EXPERIMENT, config, output_dir, flags.overwrite, flags.jobs, resuming)


if __name__ == "__main__":
    command_line.main(run)
