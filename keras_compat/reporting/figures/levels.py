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
    """A level across all groups, such as a bound.

    Args:
        label: what is written at its right end.
        value: a fraction.
        style: Matplotlib's line style.
    """

    label: str
    value: float
    style: str = "--"


def draw_levels(axes: Axes, lines: Sequence[Line], scale: Scale) -> None:
    """Draws levels; names of near ones move apart, and are tied to their level.

    Args:
        axes: where to, with its limits set.
        lines: the levels.
        scale: of their values.

    Example:

    >>> from keras_compat.reporting.figures.style import PERCENT, new_figure
    >>> draw_levels(new_figure(4, 3).add_subplot(), [Line("chance", 0.1)], PERCENT)
    """
    for line, shift in zip(lines, _shifts(axes, lines, scale), strict=True):
        value = scale.factor * line.value
        axes.axhline(value, color="0.25", linestyle=line.style, linewidth=1, zorder=3)
        text = f" {line.label}\n {scale.text(line.value)}"
        place = {"xy": (1, value), "xycoords": ("axes fraction", "data"), "annotation_clip": False}
        if abs(shift) < 1:
            axes.annotate(text, va="center", fontsize=_SIZE, **place)
        else:
            axes.annotate(
                text,
                xytext=(8, shift),
                textcoords="offset points",
                va="center",
                fontsize=_SIZE,
                arrowprops={
                    "arrowstyle": "-",
                    "color": "0.25",
                    "linewidth": 0.7,
                    "shrinkA": 0,
                    "shrinkB": 0,
                    "relpos": (0, 0.5),
                },
                **place,
            )


def _shifts(axes: Axes, lines: Sequence[Line], scale: Scale) -> list[float]:
    """By how many points each name moves, so that they are a gap apart and move least in all."""
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
