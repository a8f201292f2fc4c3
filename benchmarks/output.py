"""Where the figures of a benchmark go."""

from __future__ import annotations

import argparse
from pathlib import Path

from keras_compat.reporting import Run


def add_flag(parser: argparse.ArgumentParser) -> None:
    """Adds `--output`."""
    parser.add_argument("--output", type=Path, help="write the JSON here")


def report(run: Run, output: Path | None) -> None:
    """Prints the records of a run, and writes them if there is a place for them."""
    for record in run.results:
        print(record)
    if output:
        run.write(output)
