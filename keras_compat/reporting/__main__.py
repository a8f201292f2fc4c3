"""Makes the report and the figures of a run again: `python -m keras_compat.reporting --help`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from keras_compat.errors import InputError
from keras_compat.reporting.metrics import load_metrics
from keras_compat.reporting.reports import REPORTS


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes `report.md` and `figures/` from a `metrics.json`.

    Args:
        arguments: the command line, without the program's name; `sys.argv`'s if `None`.

    Returns:
        The exit code: 0, or 2 if the input is at fault.

    Example:

    >>> main(["no_such.json", "--output_dir=out"])
    2
    """
    parser = argparse.ArgumentParser(
        prog="python -m keras_compat.reporting",
        description="Writes report.md and figures/ from the metrics.json of a run, or from a file "
        "of results/. Files of these names in the output folder are replaced.",
    )
    parser.add_argument("metrics", help="the metrics.json")
    parser.add_argument("--output_dir", required=True, type=Path, help="where the report goes")
    flags = parser.parse_args(arguments)
    try:
        metrics = load_metrics(flags.metrics)
        for path in REPORTS[metrics["experiment"]](metrics, flags.output_dir):
            print(path)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {flags.output_dir}: {error.strerror}; choose another", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
