"""A section of the report: what it says, its tables and its pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from keras_compat.reporting.table import Table


@dataclass(frozen=True)
class Picture:
    """A figure that is drawn when the report is written.

    Args:
        name: of its file, in the folder `figures`.
        caption: one line.
        draw: writes the file at the path that it is given.
    """

    name: str
    caption: str
    draw: Callable[[Path], None]


@dataclass(frozen=True)
class Section:
    """What the report says of one study, or of one kind of figures.

    Args:
        title: its heading.
        text: what was done and found, a paragraph each.
        tables: beneath the text.
        pictures: beneath the tables.
    """

    title: str
    text: Sequence[str]
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()
