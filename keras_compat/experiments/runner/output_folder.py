"""Former path of names that are in `run_folder` and `reporting` now."""

from keras_compat.experiments.runner.run_folder import RunFolder as OutputFolder
from keras_compat.reporting.finished import CONFIG, FINISHED
from keras_compat.reporting.stored_settings import difference

__all__ = ["CONFIG", "FINISHED", "OutputFolder", "difference"]
