"""Levels across a figure, such as bounds and chance, named at their right ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from keras_compat.reporting.figures.style import Scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIZE = 8
# Two lines of letters, and a little air.
_GAP_POINTS = 2.6 * _SIZE


@dataclass(frozen=True)
class Line:
    """One level, such as a bound.

    Args:
        label: Name at the right end of the level.
        value: Height of the level, before the scale's factor.
    """

    label: str
    value: float
    style: str = "--"

    @property
    def look(self) -> dict[str, object]:
        """Options of Matplotlib's lines."""
        return {"color": "0.25", "linestyle": self.style, "linewidth": 1, "zorder": 3}


def draw_levels(axes: Axes, lines: Sequence[Line], scale: Scale) -> None:
    """Draws levels; names of near ones move apart, and are tied to their level.

    Args:
        axes: Axes to draw in, with their limits set.

    Example:

    >>> from keras_compat.reporting.figures.style import PERCENT, new_figure
    >>> draw_levels(new_figure(4, 3).add_subplot(), [Line("chance", 0.1)], PERCENT)
    """
    for line, shift in zip(lines, _shifts(axes, lines, scale), strict=True):
        value = scale.factor * line.value
        axes.axhline(value, **line.look)
        text = f" {line.label}\n {scale.text(line.value)}"
        tie = {"arrowstyle": "-", "color": "0.25", "linewidth": 0.7, "shrinkA": 0, "shrinkB": 0}
        moved = {
            "xytext": (8, shift),
            "textcoords": "offset points",
            "arrowprops": {**tie, "relpos": (0, 0.5)},
        }
        axes.annotate(
            text,
            (1, value),
            xycoords=("axes fraction", "data"),
            annotation_clip=False,
            va="center",
            fontsize=_SIZE,
            **(moved if abs(shift) >= 1 else {}),
        )


def _shifts(axes: Axes, lines: Sequence[Line], scale: Scale) -> list[float]:
    """Returns the points that each name moves by, to be a gap apart and move least in all."""
    from scipy.optimize import isotonic_regression

    if len(lines) < 2:
        return [0.0] * len(lines)
    # The layout, and with it the height of the axes, is made on drawing.
    axes.figure.draw_without_rendering()
    points = 72 / axes.figure.dpi
    values = [(0, scale.factor * line.value) for line in lines]
    wanted = points * axes.transData.transform(values)[:, 1]
    order = np.argsort(wanted, kind="stable")
    # Least squares under y[i + 1] >= y[i] + gap is isotonic regression of what lies above i gaps.
    gaps = _GAP_POINTS * np.arange(len(lines))
    spread = np.empty(len(lines))
    spread[order] = isotonic_regression(wanted[order] - gaps).x + gaps
    return list(spread - wanted)
