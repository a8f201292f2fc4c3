"""Reports of all experiments: their one form, and the one writer of terminal text and files."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keras_compat.errors import InputError
from keras_compat.files import write_bytes, write_text
from keras_compat.reporting.provenance import provenance
from keras_compat.reporting.records import Record, select
from keras_compat.reporting.section import Section
from keras_compat.reporting.shown import for_markdown, for_pictures, for_terminal
from keras_compat.reporting.table import Table

Metrics = Mapping[str, Any]


@dataclass(frozen=True)
class Report:
    """Report of a run's records, apart from where the run was made.

    Args:
        introduction: Paragraphs in Markdown and tables above the first section.
    """

    title: str
    introduction: Sequence[str | Table]
    sections: Sequence[Section]


@dataclass(frozen=True)
class ReportWriter:
    """Writes the report of one experiment for the terminal, in Markdown and as pictures.

    Both functions see the texts of records and settings as they are safe in the place where they
    are shown; see `shown`. All methods raise an `InputError` if there is nothing to show.

    Args:
        report: Function from a `metrics.json`, as `load_metrics` returns it, to its report.
        summary: Function from records and settings to the paragraphs that an app prints last.
        needs: Keys that the records of each metric have, for all metrics that are shown.
        known: Names that are shown, by key of records.

    Example:

    >>> writer = ReportWriter(lambda metrics: Report("Demo", [], [Section("Accuracy", ["High."])]),
    ...                       lambda records, config: [f"{len(records)} records"], {})
    >>> print(writer.terminal_text([]))
    0 records
    >>> metrics = {"config": {}, "versions": {}, "hardware": {}, "data": {}, "durations_s": {},
    ...            "results": [{"metric": "new", "value": 1}]}
    >>> print(writer.markdown(metrics))
    # Demo
    <BLANKLINE>
    ## Accuracy
    <BLANKLINE>
    High.
    <BLANKLINE>
    **Not shown**, as this release does not know them: metric new.
    <BLANKLINE>
    >>> [path.name for path in writer.write(metrics, tempfile.mkdtemp())]
    ['report.md']
    """

    report: Callable[[Metrics], Report]
    summary: Callable[[Sequence[Record], Mapping[str, Any]], Sequence[str]]
    needs: Mapping[str, Sequence[str]]
    known: Mapping[str, Container[str]] = field(default_factory=dict)

    def terminal_text(
        self, records: Sequence[Record], config: Mapping[str, Any] | None = None
    ) -> str:
        """Returns what an app prints last, without a newline at the end."""
        return "\n\n".join(for_terminal(self.summary)(records, config or {}))

    def markdown(self, metrics: Metrics) -> str:
        """Returns the content of `report.md`; its pictures are in the folder `figures`."""
        return for_markdown(self._markdown)(metrics)

    def draw(self, metrics: Metrics, folder: str | os.PathLike[str]) -> list[Path]:
        """Draws the pictures of the report, and returns their files.

        Raises:
            InputError: if there is nothing to show, or Matplotlib is not installed.
        """
        return for_pictures(self._draw)(metrics, Path(folder))

    def write(self, metrics: Metrics, folder: str | os.PathLike[str]) -> list[Path]:
        """Writes `report.md` and `figures/*.png`, once all of them could be made.

        Returns:
            The files written, the report first.

        Raises:
            InputError: if there is nothing to show, or Matplotlib is not installed; the folder
                stays as it was.
        """
        self._check_needs(metrics["results"])
        text = self.markdown(metrics)
        report, pictures = Path(folder) / "report.md", Path(folder) / "figures"
        with tempfile.TemporaryDirectory() as made:
            drawn = self.draw(metrics, made)
            written = [report, *(pictures / path.name for path in drawn)]
            for path in written:
                if path.is_dir():
                    raise InputError(f"{path} is a folder; expected a file to replace, or none")
            for path in drawn:
                write_bytes(pictures / path.name, path.read_bytes())
        write_text(report, text)
        return written

    def _markdown(self, metrics: Metrics) -> str:
        report = self.report(metrics)
        parts = [f"# {report.title}", *report.introduction]
        for section in report.sections:
            parts += [f"## {section.title}"] * bool(section.title)
            parts += [*section.text, *section.tables]
            parts += [f"![{p.caption}](figures/{p.name})" for p in section.pictures]
        parts += [*self._not_shown(metrics["results"]), *provenance(metrics)]
        texts = (part.markdown() if isinstance(part, Table) else part for part in parts)
        return "\n\n".join(texts) + "\n"

    def _draw(self, metrics: Metrics, folder: Path) -> list[Path]:
        drawn = []
        for section in self.report(metrics).sections:
            for picture in section.pictures:
                drawn.append(folder / picture.name)
                picture.draw(drawn[-1])
        return drawn

    def _check_needs(self, records: Sequence[Record]) -> None:
        for record in records:
            for key in self.needs.get(record["metric"], ()):
                if key not in record:
                    told = ", ".join(f"{k} {v}" for k, v in record.items())[:300]
                    raise InputError(
                        f"a record has no {key!r} ({told}); expected the results of an app, so "
                        "write them again with it"
                    )

    def _not_shown(self, records: Sequence[Record]) -> list[str]:
        """Returns what of a run is not in its report, such as a metric of a later release."""
        found = {
            f"{key} {record[key]}": None
            for record in records
            for key, names in {"metric": self.needs, **self.known}.items()
            if key in record and record[key] not in names
        }
        told = f"**Not shown**, as this release does not know them: {', '.join(found)}."
        return [told] * bool(found)


def without_result(
    records: Sequence[Record], told: Callable[[Record], str] = lambda record: record["step"]
) -> list[str]:
    """Returns which parts of a run failed, and why.

    Args:
        told: Function that names the failed part of a record.

    Returns:
        Paragraphs in Markdown; none if all parts have a result.

    Example:

    >>> without_result([{"metric": "failure", "step": "a_seed0", "message": "why", "value": 1}])[1]
    '- a_seed0: why'
    """
    failures = select(records, metric="failure")
    if not failures:
        return []
    lines = dict.fromkeys(f"- {told(record)}: {record['message']}" for record in failures)
    return [
        "**Without a result**, as a loss was not finite, are the following; means are over the "
        "seeds that are left.",
        "\n".join(lines),
    ]
