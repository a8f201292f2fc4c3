"""Runs the command line: `python -m apps.components`."""

from apps import command_line
from apps.components import run

if __name__ == "__main__":
    command_line.main(run)
