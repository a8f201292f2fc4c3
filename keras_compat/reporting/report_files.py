"""What the reports of the applications have in common: their files, and what spreads are over."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_compat.files import write_text
from keras_compat.reporting.records import Record, unique


def write_report_files(
    metrics: Mapping[str, Any],
    folder: str | os.PathLike[str],
    report_text: Callable[[Mapping[str, Any]], str],
    draw_figures: Callable[[Sequence[Record], Path], list[Path]],
) -> list[Path]:
    """Writes `report.md` and `figures/*.png`.

    Args:
        metrics: as `load_metrics` returns it.
        folder: where they go; it is made if it is not there.
        report_text: makes the report.
        draw_figures: draws the records into a folder, and returns the files.

    Returns:
        The files written, the report first.

    Example:

    >>> import tempfile
    >>> found = write_report_files({"results": []}, tempfile.mkdtemp(), str, lambda *_: [])
    >>> [path.name for path in found]
    ['report.md']
    """
    drawn = draw_figures(metrics["results"], Path(folder) / "figures")
    report = Path(folder) / "report.md"
    write_text(report, report_text(metrics))
    return [report, *drawn]


def over_seeds(
    records: Sequence[Record], text: str = ", mean ± standard deviation, {} seeds"
) -> str:
    """Returns what spreads are over, or nothing for records of one seed.

    Args:
        records: the records that are shown.
        text: with a place for the number of seeds.

    Returns:
        The text.

    Example:

    >>> over_seeds([{"seed": 0}]), over_seeds([{"seed": 0}, {"seed": 1}], "{} seeds")
    ('', '2 seeds')
    """
    seeds = len(unique(records, "seed"))
    return text.format(seeds) if seeds > 1 else ""
