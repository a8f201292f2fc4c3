"""Runs the command line: `python -m apps.components`."""

from apps.components import run
from keras_compat.experiments import command_line

if __name__ == "__main__":
    command_line.main(run)
