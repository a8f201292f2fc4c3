"""The flags that all benchmarks share, and the file with their results."""

from __future__ import annotations

import argparse
from pathlib import Path

from keras_compat.reporting import Run


def make_parser(description: str | None) -> argparse.ArgumentParser:
    """Returns a parser with `--output`, whose help keeps the line breaks of the description."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, help="JSON file for the results")
    return parser


def report(run: Run, output: Path | None) -> None:
    """Prints the records of a run, and writes the run to a file if there is one."""
    for record in run.results:
        print(record)
    if output:
        run.write(output)
