"""Makes the report of one run or of several: `python -m keras_compat.reporting --help`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from keras_compat.errors import InputError
from keras_compat.files import written_atomically
from keras_compat.plugins import (
    FLAG,
    are_wanted,
    load_plugins,
    missing_plugins,
    names_of_plugins,
    plugins_in,
)
from keras_compat.printing import Parser, tell
from keras_compat.reporting.merging import merge_files
from keras_compat.reporting.metrics import write_metrics
from keras_compat.reporting.reports import REPORTS


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes `report.md` and `figures/` from one `metrics.json` or several.

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
    parser.add_argument(FLAG, metavar="MODULE,...", help="modules with studies of other packages")
    try:
        names, others = names_of_plugins(sys.argv[1:] if arguments is None else arguments)
        flags = parser.parse_args(others)
        if are_wanted(names):
            load_plugins(names)
        metrics = merge_files(flags.metrics)
        makers = metrics.get("made_by") or [metrics]
        plugins = dict.fromkeys(p for maker in makers for p in plugins_in(maker["versions"]))
        missing = missing_plugins(plugins, "the run")
        if missing:
            tell(f"{missing}; the report shows their names, and no sections of their studies")
        # Both or none: the file is tried first, and takes its place once the report is written.
        with _merged(flags.merged, metrics):
            written = REPORTS[metrics["experiment"]].write(metrics, flags.output_dir)
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


@contextmanager
def _merged(path: Path | None, metrics: Mapping[str, Any]) -> Iterator[None]:
    if path is None:
        yield
        return
    if path.is_dir():
        raise InputError(f"--merged is {path}, which is a folder; expected the path of a file")
    with written_atomically(path) as temporary:
        write_metrics(temporary, **metrics)
        yield


if __name__ == "__main__":
    sys.exit(main())
