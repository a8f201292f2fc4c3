"""What the reports of the applications have in common: their files, and what spreads are over."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_compat.errors import InputError
from keras_compat.files import write_bytes, write_text
from keras_compat.reporting.records import Record, unique


def write_report_files(
    metrics: Mapping[str, Any],
    folder: str | os.PathLike[str],
    report_text: Callable[[Mapping[str, Any]], str],
    draw_figures: Callable[[Sequence[Record], Path], list[Path]],
    needs: Mapping[str, Sequence[str]],
) -> list[Path]:
    """Writes `report.md` and `figures/*.png`, once all of them could be made.

    Args:
        metrics: as `load_metrics` returns it.
        folder: where they go; it is made if it is not there.
        report_text: makes the report.
        draw_figures: draws the records into a folder, and returns the files.
        needs: the keys that the records of each metric have; all metrics that are shown.

    Returns:
        The files written, the report first.

    Raises:
        InputError: if the records make no report; the folder is what it was.

    Example:

    >>> import tempfile
    >>> found = write_report_files({"results": []}, tempfile.mkdtemp(), str, lambda *_: [], {})
    >>> [path.name for path in found]
    ['report.md']
    """
    _check_needs(metrics["results"], needs)
    text = report_text(metrics)
    report, pictures = Path(folder) / "report.md", Path(folder) / "figures"
    with tempfile.TemporaryDirectory() as made:
        drawn = draw_figures(metrics["results"], Path(made))
        for path in (report, *(pictures / path.name for path in drawn)):
            if path.is_dir():
                raise InputError(f"{path} is a folder; expected a file to replace, or none")
        for path in drawn:
            write_bytes(pictures / path.name, path.read_bytes())
    write_text(report, text)
    return [report, *(pictures / path.name for path in drawn)]


def _check_needs(records: Sequence[Record], needs: Mapping[str, Sequence[str]]) -> None:
    for record in records:
        for key in needs.get(record["metric"], ()):
            if key not in record:
                told = ", ".join(f"{k} {v}" for k, v in record.items())[:300]
                raise InputError(
                    f"a record has no {key!r} ({told}); expected the results of an app, so write "
                    "them again with it"
                )


def not_shown(
    records: Sequence[Record], needs: Mapping[str, Any], **known: Container[str]
) -> list[str]:
    """Returns what of a run is not in its report, such as a metric of a later release.

    Args:
        records: the records of a run.
        needs: all metrics that are shown.
        **known: by key of records, the names that are shown.

    Returns:
        A paragraph in Markdown, or none.

    Example:

    >>> not_shown([{"metric": "accuracy", "study": "new"}], {"accuracy": ()}, study={"methods"})
    ['**Not shown**, as this release does not know them: study new.']
    """
    found = {
        f"{key} {record[key]}": None
        for record in records
        for key, names in {"metric": needs, **known}.items()
        if key in record and record[key] not in names
    }
    return [f"**Not shown**, as this release does not know them: {', '.join(found)}."] * bool(found)


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
