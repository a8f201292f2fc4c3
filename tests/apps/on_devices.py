"""Runs an app with as many logical devices of TensorFlow as DEVICES says, for test_distribution.py.

python -m tests.apps.on_devices NAME FLAGS is python -m apps.NAME FLAGS.
"""

import os
import sys
from importlib import import_module

from apps import command_line
from tests.training.logical_devices import logical_devices

if __name__ == "__main__":
    name, *sys.argv[1:] = sys.argv[1:]
    if os.environ["KERAS_BACKEND"] == "tensorflow":
        logical_devices()
    command_line.main(import_module(f"apps.{name}").run)
