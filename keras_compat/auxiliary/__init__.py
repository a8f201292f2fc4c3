"""Auxiliary tasks: what makes extractors compatible through a shared or frozen head (Sec. 3).

To add one: a file with a subclass of `Auxiliary`, and its line in `AUXILIARIES`.
"""

from keras_compat.auxiliary.base import Auxiliary
from keras_compat.auxiliary.common_classes import CommonClasses
from keras_compat.auxiliary.rotation import RotationPrediction
from keras_compat.registry import Registry

AUXILIARIES: Registry[type[Auxiliary]] = Registry("auxiliary task")
AUXILIARIES.register("rotation")(RotationPrediction)
AUXILIARIES.register("common_classes")(CommonClasses)

__all__ = ["AUXILIARIES", "Auxiliary", "CommonClasses", "RotationPrediction"]
