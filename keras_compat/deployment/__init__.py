"""From a recombined pair to files for servers, desktops and phones, and back for a last check.

1. `recalibrate` gives the pair moving statistics, so that it can see one image at a time.
2. `export` writes SavedModels, ONNX and LiteRT files, all in one process of their own.
3. `evaluate_exported` runs the files in a fresh process without this package and without Keras.

A further format is one file with a job class like `SavedModelExport` and one line in
`conversion.WRITERS`.
"""

from keras_compat.deployment.evaluating import (
    evaluate_exported,
    evaluate_litert,
    evaluate_saved_model,
)
from keras_compat.deployment.exporting import (
    Export,
    Exported,
    export,
    export_litert,
    export_saved_model,
)
from keras_compat.deployment.litert import LiteRTExport, litert_pair
from keras_compat.deployment.onnx import ONNXExport, onnx_pair
from keras_compat.deployment.operators import litert_operators
from keras_compat.deployment.saved_model import SavedModelExport
from keras_compat.deployment.serving import export_version
from keras_compat.evaluation import recalibrate

__all__ = [
    "Export",
    "Exported",
    "LiteRTExport",
    "ONNXExport",
    "SavedModelExport",
    "evaluate_exported",
    "evaluate_litert",
    "evaluate_saved_model",
    "export",
    "export_litert",
    "export_saved_model",
    "export_version",
    "litert_operators",
    "litert_pair",
    "onnx_pair",
    "recalibrate",
]
