"""Runs an app with as many logical devices of TensorFlow as DEVICES says, for test_distribution.py.

python -m tests.apps.on_devices NAME FLAGS is python -m apps.NAME FLAGS. Where WENT_ON names a file,
every training that goes on from a checkpoint leaves a line in it.
"""

import os
import sys
from importlib import import_module
from pathlib import Path

from keras_compat.experiments import command_line
from tests.training.logical_devices import logical_devices

if __name__ == "__main__":
    name, *sys.argv[1:] = sys.argv[1:]
    if os.environ["KERAS_BACKEND"] == "tensorflow":
        logical_devices()
    if "WENT_ON" in os.environ:
        from tests.apps.interrupted import tell_of_checkpoints

        tell_of_checkpoints(Path(os.environ["WENT_ON"]))
    command_line.main(import_module(f"apps.{name}").run)
