"""Makes the report of one run again, or of several: `python -m keras_compat.reporting --help`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from keras_compat.errors import InputError
from keras_compat.printing import Parser, tell
from keras_compat.reporting.merging import merge_files
from keras_compat.reporting.metrics import write_metrics
from keras_compat.reporting.reports import REPORTS


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes `report.md` and `figures/` from one `metrics.json` or several.

    Args:
        arguments: the command line, without the program's name; `sys.argv`'s if `None`.

    Returns:
        The exit code: 0, or 2 if the input is at fault.

    Example:

    >>> main(["no_such.json", "--output_dir=out"])
    2
    """
    parser = Parser(
        prog="python -m keras_compat.reporting",
        description="Writes report.md and figures/ from the metrics.json of a run, or from a file "
        "of results/. Files of these names in the output folder are replaced. From several files, "
        "of runs that differ in seeds, methods or studies only, one report is made.",
    )
    parser.add_argument("metrics", nargs="+", help="the metrics.json, or several")
    parser.add_argument("--output_dir", required=True, type=Path, help="where the report goes")
    parser.add_argument("--merged", type=Path, help="write the metrics of all files to this one")
    flags = parser.parse_args(arguments)
    try:
        metrics = merge_files(flags.metrics)
        written = REPORTS[metrics["experiment"]](metrics, flags.output_dir)
        if flags.merged is not None:
            write_metrics(flags.merged, **metrics)
        for path in written:
            tell(path)
    except InputError as error:
        tell(f"error: {error}", to=sys.stderr)
        return 2
    except OSError as error:
        place = error.filename or flags.output_dir
        tell(f"error: {place}: {error.strerror}; choose another", to=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
