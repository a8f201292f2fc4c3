"""Rows of blocks, a value a block, sorted: the cross-correlation of channels (Fig. 3)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from keras_compat.reporting.figures import style

_ROW_INCHES = 0.34


@dataclass(frozen=True)
class Blocks:
    """One row of blocks.

    Args:
        values: Values in [-1, 1], from left to right; rows may differ in length.
        texts: Texts on the right, one a column.
    """

    label: str
    values: Sequence[float]
    texts: Sequence[str] = ()


@style.styled
def draw_blocks(
    path: str | os.PathLike[str],
    rows: Sequence[Blocks],
    columns: Sequence[str] = (),
    title: str = "",
    subtitle: str = "",
    x_label: str = "",
    legend: str = "",
) -> None:
    """Draws rows of coloured blocks: blue for positive, white for none, red for negative.

    Args:
        columns: Names of the texts on the right.

    Example:

    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "figure.png")
    >>> draw_blocks(path, [Blocks("rp", [0.9, 0.5, -0.1], ["0.43"])], ["mean"])
    >>> os.path.getsize(path) > 0
    True
    """
    names = style.LETTER_INCHES * max(len(row.label) for row in rows)
    widths = [
        style.LETTER_INCHES * (max(map(len, texts)) + 1.5) for texts in _columns(rows, columns)
    ]
    width, height = 4.2 + names + sum(widths), _ROW_INCHES * len(rows) + 1.5
    figure = style.new_figure(width, height, title, subtitle)
    axes = figure.add_subplot()
    for place, row in enumerate(rows):
        picture = axes.imshow(
            [row.values],
            extent=(0, 1, place + 0.4, place - 0.4),
            cmap="RdBu",
            vmin=-1,
            vmax=1,
            aspect="auto",
            interpolation="nearest",
        )
    axes.set_xlim(0, 1)
    axes.set_ylim(len(rows) - 0.5, -0.6)
    axes.set_yticks(range(len(rows)), [row.label for row in rows], fontsize=9)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel(x_label, fontsize=8)
    left = 0.0
    for texts, width in zip(_columns(rows, columns), widths, strict=True):
        for place, text in enumerate(texts, -1):
            axes.annotate(
                text,
                (1, place if place >= 0 else -0.45),
                xycoords=("axes fraction", "data"),
                xytext=(72 * (left + width), 0),
                textcoords="offset points",
                ha="right",
                va="center" if place >= 0 else "bottom",
                fontsize=9 if place >= 0 else 8,
                annotation_clip=False,
            )
        left += width
    place = {"location": "bottom", "fraction": 0.05, "aspect": 40, "pad": 0.03}
    style.add_colour_bar(figure, picture, legend, **place)
    style.save(figure, path)


def _columns(rows: Sequence[Blocks], columns: Sequence[str]) -> list[list[str]]:
    """Returns each column's texts from its name down."""
    return [[name, *(row.texts[i] for row in rows)] for i, name in enumerate(columns)]
