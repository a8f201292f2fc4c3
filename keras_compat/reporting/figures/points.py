"""Points: one value over another, a panel for each of several first values."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle

from keras_compat.reporting.figures import style

_PANEL_INCHES = 2.3
_ACROSS = 4
# One more than there are colours: together they tell 72 kinds apart.
_MARKERS = ("o", "^", "s", "D", "v", "P", "X", "*", "p")


@dataclass(frozen=True)
class Points:
    """Points of one kind."""

    label: str
    places: Sequence[tuple[float, float]]


@style.styled
def draw_points(
    path: str | os.PathLike[str],
    panels: Mapping[str, Sequence[Points]],
    title: str = "",
    subtitle: str = "",
    y_label: str = "",
) -> None:
    """Draws panels of points, four side by side, all with one axis of values.

    Args:
        panels: Points by the name below their panel; the same kinds in each.
        y_label: Name of the values, which are fractions and drawn in percent.

    Example:

    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "figure.png")
    >>> draw_points(path, {"information": [Points("recombined", [(0.2, 0.1), (0.9, 0.95)])]})
    >>> os.path.getsize(path) > 0
    True
    """
    across = min(len(panels), _ACROSS)
    rows = -(-len(panels) // across)
    width = max(5.8, _PANEL_INCHES * across + 0.8)
    figure = style.new_figure(width, 2.6 * rows + 1, title, subtitle)
    grid = figure.subplots(rows, across, squeeze=False)
    for axes in grid.flat[len(panels) :]:
        axes.remove()
    drawn = []
    for axes, (name, kinds) in zip(grid.flat, panels.items(), strict=False):
        drawn = [
            axes.scatter(
                [x for x, _ in kind.places],
                [100 * y for _, y in kind.places],
                s=16,
                marker=marker,
                color=colour,
                alpha=0.75,
                linewidths=0,
                label=kind.label,
            )
            for kind, marker, colour in zip(
                kinds, cycle(_MARKERS), cycle(style.COLOURS), strict=False
            )
        ]
        axes.set_xlabel(name, fontsize=9)
        ticks = range(0, 101, 20)
        axes.set_ylim(0, 103)
        axes.set_yticks(ticks, ticks if axes in grid[:, 0] else [""] * len(ticks))
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel(y_label, fontsize=9)
    style.add_legend(figure, drawn)
    style.save(figure, path)
