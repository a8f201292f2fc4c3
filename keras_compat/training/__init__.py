"""One trainer for every way to train: joint, incremental, adaptation, fine-tuning (Sec. 3.4)."""

from keras_compat.training.distribution import (
    Distribution,
    current_distribution,
    is_chief,
    set_distribution,
    start_distribution,
)
from keras_compat.training.guard import NonFiniteLoss, StopOnNonFinite
from keras_compat.training.loss_scale import LossScale
from keras_compat.training.precision import Precision
from keras_compat.training.profile import ProfileRounds
from keras_compat.training.round_optimizer import RoundOptimizer
from keras_compat.training.task import AuxiliaryHead, Task
from keras_compat.training.trainer import Trainer

__all__ = [
    "AuxiliaryHead",
    "Distribution",
    "LossScale",
    "NonFiniteLoss",
    "Precision",
    "ProfileRounds",
    "RoundOptimizer",
    "StopOnNonFinite",
    "Task",
    "Trainer",
    "current_distribution",
    "is_chief",
    "set_distribution",
    "start_distribution",
]
