"""Export of recombined pairs for servers, desktops and phones, and a check of the exported files.

1. `recalibrate` measures moving statistics, so that a pair can take a single image.
2. `export` writes SavedModels, ONNX and LiteRT files in one separate process.
3. `evaluate_exported` runs the files in a new process without this package and without Keras.

To add a format, write one file with a job class like `SavedModelExport` and add one line to
`conversion.WRITERS`.
"""

from keras_compat.deployment.evaluating import (
    evaluate_exported,
    evaluate_litert,
    evaluate_saved_model,
)
from keras_compat.deployment.exporting import Export, Exported, export, export_saved_model
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
    "export_saved_model",
    "export_version",
    "litert_operators",
    "litert_pair",
    "onnx_pair",
    "recalibrate",
]
