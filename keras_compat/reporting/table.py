"""Tables in Markdown for reports and in plain text for the terminal."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keras_compat.escaping import escape
from keras_compat.reporting.records import Summary

MISSING = "-"


@dataclass(frozen=True)
class Table:
    """Rows of text under a header; the first column is aligned left, the others right.

    Args:
        rows: One sequence of cells a row, as long as the header.

    Raises:
        ValueError: if a row is not as long as the header.

    Example:

    >>> table = Table(["extractor", "accuracy"], [["resnet8", "91.7"], ["wide_resnet10", "99.0"]])
    >>> print(table.markdown())
    | extractor | accuracy |
    |:--|--:|
    | resnet8 | 91.7 |
    | wide_resnet10 | 99.0 |
    >>> print(table.text())
    extractor      accuracy
    -------------  --------
    resnet8            91.7
    wide_resnet10      99.0
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __post_init__(self):
        for row in self.rows:
            if len(row) != len(self.header):
                raise ValueError(f"expected {len(self.header)} cells in a row. Received: {row}")

    @classmethod
    def of_rows(cls, rows: Sequence[Mapping[str, str]]) -> Table:
        """Returns the table of the columns in which anything was measured.

        Args:
            rows: Cells by the name of their column, the same names in each row; at least one row.

        Returns:
            A table without the columns whose cells are all `MISSING`.

        Example:

        >>> Table.of_rows([{"": "RP", "accuracy": "91.7", "paper": MISSING}])
        Table(header=['', 'accuracy'], rows=[['RP', '91.7']])
        """
        header = [name for name in rows[0] if any(row[name] != MISSING for row in rows)]
        return cls(header, [[row[name] for name in header] for row in rows])

    def markdown(self, left: int = 1) -> str:
        """Returns the table in GitHub's Markdown; see `shown.for_markdown` for strange text.

        Args:
            left: Number of columns that are aligned left, from the first on.

        Returns:
            Lines without a newline at the end; `|` in a cell is escaped, if it is not yet.

        Example:

        >>> print(Table(["a"], [["x|y"]]).markdown())
        | a |
        |:--|
        | x\\|y |
        """
        rule = "|" + "".join("--:|" if i >= left else ":--|" for i in range(len(self.header)))
        lines = [_markdown_row(self.header), rule, *map(_markdown_row, self.rows)]
        return "\n".join(lines)

    def text(self, header_width: int = 8) -> str:
        """Returns the table for a terminal, all text escaped, with long column names wrapped.

        Args:
            header_width: Characters after which a column's name goes on in the next line.

        Returns:
            Lines without a newline at the end and without trailing blanks.

        Example:

        >>> print(Table(["", "upper bound"], [["resnet8", "99.0"]]).text(header_width=6))
                 upper
                 bound
        -------  -----
        resnet8   99.0
        """
        wrapped = [
            textwrap.wrap(escape(name), header_width, break_long_words=False) or [""]
            for name in self.header
        ]
        height = max(map(len, wrapped))
        wrapped = [[""] * (height - len(lines)) + lines for lines in wrapped]
        body = [*zip(*wrapped, strict=True), *(list(map(escape, row)) for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*body, strict=True)]
        lines = [_text_row(row, widths) for row in body]
        lines.insert(height, "  ".join("-" * width for width in widths))
        return "\n".join(lines)


def percent(summary: Summary | None) -> str:
    """Returns a fraction's mean as percent with one decimal, with its spread if there is one.

    Example:

    >>> percent(Summary(0.917, 0.0031, 3)), percent(Summary(0.5, 0.0, 1)), percent(None)
    ('91.7±0.3', '50.0', '-')
    """
    return number(summary and summary._replace(mean=100 * summary.mean, std=100 * summary.std), 1)


def number(summary: Summary | None, digits: int = 2) -> str:
    """Returns a mean as it is, with its spread if there is one.

    Example:

    >>> number(Summary(0.384, 0.006, 3)), number(None)
    ('0.38±0.01', '-')
    """
    if summary is None:
        return MISSING
    spread = f"±{summary.std:.{digits}f}" if summary.count > 1 else ""
    return f"{summary.mean:.{digits}f}{spread}"


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(re.sub(r"(?<!\\)\|", r"\\|", cell) for cell in cells) + " |"


def _text_row(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    aligned = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
    return "  ".join(aligned).rstrip()
