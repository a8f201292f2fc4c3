"""Baselines: ways to use a head on another network's extractor without compatible training.

To add a baseline, write a file with a subclass of `Baseline` and add its line to `BASELINES`.
"""

from keras_compat.evaluation.baselines.base import Baseline, Connected, Pair
from keras_compat.evaluation.baselines.linear_maps import LeastSquares, Permutation, Procrustes
from keras_compat.evaluation.baselines.relative import Relative
from keras_compat.evaluation.baselines.stitching import Stitching, StitchingUnlabelled
from keras_compat.evaluation.baselines.swap import Swap, SwapRecalibrated, TargetNetwork
from keras_compat.registry import Registry

BASELINES: Registry[Baseline] = Registry("baseline")
BASELINES.register("swap")(Swap())
BASELINES.register("swap_recalibrated")(SwapRecalibrated())
BASELINES.register("permutation")(Permutation())
BASELINES.register("procrustes")(Procrustes())
BASELINES.register("least_squares")(LeastSquares())
BASELINES.register("stitching_unlabelled")(StitchingUnlabelled())
BASELINES.register("stitching")(Stitching())
BASELINES.register("relative")(Relative())
BASELINES.register("target_network")(TargetNetwork())

__all__ = [
    "BASELINES",
    "Baseline",
    "Connected",
    "LeastSquares",
    "Pair",
    "Permutation",
    "Procrustes",
    "Relative",
    "Stitching",
    "StitchingUnlabelled",
    "Swap",
    "SwapRecalibrated",
    "TargetNetwork",
]
