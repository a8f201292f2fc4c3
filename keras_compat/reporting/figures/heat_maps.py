"""Matrices of fractions as colours, several side by side on one scale."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keras_compat.reporting.figures import style
from keras_compat.reporting.records import Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

_CELL_INCHES = (0.62, 0.46)
_MAX_INCHES = 9.5


@dataclass(frozen=True)
class HeatMap:
    """One matrix.

    Args:
        values: A row of summaries of fractions for each row's name; `None` where there is none.
    """

    title: str
    values: Sequence[Sequence[Summary | None]]


@style.styled
def draw_heat_maps(
    path: str | os.PathLike[str],
    rows: Sequence[str],
    columns: Sequence[str],
    maps: Sequence[HeatMap],
    title: str = "",
    subtitle: str = "",
    row_label: str = "",
    column_label: str = "",
    legend: str = "accuracy [%]",
) -> None:
    """Draws matrices with the same rows and columns, each cell with its value in percent.

    Example:

    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "figure.png")
    >>> draw_heat_maps(path, ["a"], ["a"], [HeatMap("rp", [[Summary(0.9, 0.0, 1)]])])
    >>> os.path.getsize(path) > 0
    True
    """
    name_inches = style.LETTER_INCHES * max(map(len, [*rows, *columns]))
    cell = max(_CELL_INCHES[0], min(name_inches + 0.1, 1.1))
    panel = max(cell * len(columns), style.LETTER_INCHES * max(len(m.title) for m in maps)) + 0.15
    down = math.ceil(len(maps) / max(1, int((_MAX_INCHES - name_inches) // panel)))
    # As many in each row of panels as can be.
    across = math.ceil(len(maps) / down)
    width = max(4.2, panel * across + name_inches + 1.5)
    height = (_CELL_INCHES[1] * len(rows) + 0.3) * down + 1.3
    figure = style.new_figure(width, height + style.slanted_inches(columns), title, subtitle)
    grid = figure.subplots(down, across, squeeze=False)
    for number, place in enumerate(grid.flat):
        if number >= len(maps):
            place.set_visible(False)
            continue
        picture = _draw(place, maps[number])
        _name(place, rows if number % across == 0 else [], "y")
        # The last panel of its column also where the last row of panels is not full.
        _name(place, columns if number + across >= len(maps) else [], "x", name_inches > cell)
    figure.supylabel(row_label, fontsize=9)
    figure.supxlabel(column_label, fontsize=9)
    style.add_colour_bar(figure, picture, legend, fraction=0.03, aspect=25, pad=0.02)
    style.save(figure, path)


def _draw(axes: Axes, heat_map: HeatMap) -> AxesImage:
    means = [[float("nan") if v is None else 100 * v.mean for v in row] for row in heat_map.values]
    picture = axes.imshow(means, cmap="Blues", vmin=0, vmax=100, aspect="auto")
    for i, row in enumerate(heat_map.values):
        for j, value in enumerate(row):
            if value is not None:
                spread = f"\n±{100 * value.std:.1f}" if value.count > 1 else ""
                axes.annotate(
                    f"{100 * value.mean:.1f}{spread}",
                    (j, i),
                    ha="center",
                    va="center",
                    fontsize=8,
                    # Black has more contrast up to here.
                    color="white" if value.mean > 0.7 else "black",
                )
    axes.set_title(heat_map.title, fontsize=9)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return picture


def _name(axes: Axes, names: Sequence[str], which: str, crowded: bool = False) -> None:
    turned = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if crowded else {}
    getattr(axes, f"set_{which}ticks")(range(len(names)), names, fontsize=8, **turned)
