"""Auxiliary tasks: what makes extractors compatible through a shared or frozen head (Sec. 3).

To add one: a file with a subclass of `Auxiliary`, and its line in `AUXILIARIES`.
"""

from keras_compat.auxiliary.base import Auxiliary
from keras_compat.auxiliary.colorization import Colorization
from keras_compat.auxiliary.common_classes import CommonClasses
from keras_compat.auxiliary.contrastive import Contrastive
from keras_compat.auxiliary.exemplar import Exemplar
from keras_compat.auxiliary.feature_matching import FeatureMatching
from keras_compat.auxiliary.jigsaw import JigsawPuzzle
from keras_compat.auxiliary.rotation import RotationPrediction
from keras_compat.auxiliary.unit_length import UnitLengthLoss
from keras_compat.registry import Registry

AUXILIARIES: Registry[type[Auxiliary]] = Registry("auxiliary task")
AUXILIARIES.register("rotation")(RotationPrediction)
AUXILIARIES.register("common_classes")(CommonClasses)
AUXILIARIES.register("jigsaw")(JigsawPuzzle)
AUXILIARIES.register("colorization")(Colorization)
AUXILIARIES.register("exemplar")(Exemplar)
AUXILIARIES.register("contrastive")(Contrastive)
AUXILIARIES.register("unit_length")(UnitLengthLoss)
AUXILIARIES.register("matching")(FeatureMatching)

__all__ = [
    "AUXILIARIES",
    "Auxiliary",
    "Colorization",
    "CommonClasses",
    "Contrastive",
    "Exemplar",
    "FeatureMatching",
    "JigsawPuzzle",
    "RotationPrediction",
    "UnitLengthLoss",
]
