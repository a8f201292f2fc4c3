"""One section of a report: text, tables and pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from keras_compat.reporting.table import Table


@dataclass(frozen=True)
class Picture:
    """A figure that is drawn when the report is written.

    Args:
        name: Name of its file, in the folder `figures`.
        draw: Function that writes the file at a path.
    """

    name: str
    caption: str
    draw: Callable[[Path], None]


@dataclass(frozen=True)
class Section:
    """One part of a report under one heading.

    Args:
        title: Heading; empty for a section that goes on without one.
        text: Paragraphs in Markdown, with tables among them where words follow a table.
        tables: Tables below the text.
        pictures: Figures below the tables.
    """

    title: str
    text: Sequence[str | Table] = ()
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()
