"""Bar charts, grouped, with error bars over seeds; upright, or across for long names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keras_compat.reporting.figures import style
from keras_compat.reporting.figures.levels import Line, draw_levels
from keras_compat.reporting.figures.style import PERCENT, Scale, styled
from keras_compat.reporting.records import Summary

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

_BAR_INCHES = 0.36
_GAP = 0.8  # in widths of a bar, as all that follows
_ACROSS_BAR_INCHES = 0.19
_ACROSS_GAP = 0.11 / _ACROSS_BAR_INCHES
_ACROSS_INCHES = 6.6


@dataclass(frozen=True)
class Bars:
    """One bar a group, all of one meaning.

    Args:
        values: One summary a group; `None` where there is no bar.
        published: Whether the figures are another's, and drawn hatched on white.
    """

    label: str
    values: Sequence[Summary | None]
    colour: str
    published: bool = False

    @property
    def look(self) -> dict[str, object]:
        """Options of Matplotlib's patches."""
        if self.published:
            hatched = {"facecolor": "white", "edgecolor": self.colour, "hatch": "////"}
            return {**hatched, "linewidth": 0.8}
        return {"facecolor": self.colour, "edgecolor": self.colour, "linewidth": 0.8}


@styled
def draw_bars(
    path: str | os.PathLike[str],
    groups: Sequence[str],
    bars: Sequence[Bars],
    lines: Sequence[Line] = (),
    title: str = "",
    subtitle: str = "",
    scale: Scale = PERCENT,
    across: bool = False,
) -> None:
    """Draws values as grouped bars, with error bars where there are several seeds.

    Args:
        groups: Names of the groups; `\\n` breaks a line.
        bars: Bars; one without any value is left out of the legend.
        across: Whether bars go to the right and groups down, which suits many groups and long
            names; levels are named in the legend then.

    Example:

    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "figure.png")
    >>> draw_bars(path, ["ResNet"], [Bars("recombined", [Summary(0.9, 0.01, 3)], "#0072B2")])
    >>> os.path.getsize(path) > 0
    True
    """
    bars = [b for b in bars if any(v is not None for v in b.values)]
    if across:
        places, centres, end = _places(bars, [0.0] * len(groups), _ACROSS_GAP, _ACROSS_GAP)
        height = _ACROSS_BAR_INCHES * (end - _ACROSS_GAP) + 1.5
        figure = style.new_figure(_ACROSS_INCHES, height, title, subtitle)
        axes = figure.add_subplot()
    else:
        groups = [style.wrapped(name) for name in groups]
        letters = [max(map(len, name.split("\n"))) for name in groups]
        rooms = [style.LETTER_INCHES * count / _BAR_INCHES for count in letters]
        places, centres, end = _places(bars, rooms, _GAP, _GAP / 2)
        width = max(4.6, _BAR_INCHES * end + 1.5)
        figure, axes = style.new_axes(width, style.HEIGHT_INCHES, title, subtitle)
    for number, bar in enumerate(bars):
        for place, value in zip(places, bar.values, strict=True):
            if value is not None:
                _draw_bar(axes, place[number], value, bar, scale, across)
    drawn = [v.mean + v.std for b in bars for v in b.values if v is not None]
    highest = max([*drawn, *(line.value for line in lines)], default=0.0)
    style.style_values(axes, scale, highest, across)
    legend = [_patch(bar) for bar in bars]
    if across:
        axes.set_ylim(end - 0.5, -0.5)
        axes.set_yticks(centres, groups, fontsize=9)
        axes.tick_params(axis="y", length=0)
        style.add_legend(figure, [*legend, *(_named(axes, line, scale) for line in lines)])
    else:
        axes.set_xlim(-0.5, end - 0.5)
        axes.set_xticks(centres, groups, fontsize=9)
        axes.tick_params(axis="x", length=0)
        style.add_legend(figure, legend)
        draw_levels(axes, lines, scale)
    style.save(figure, path)


def _places(
    bars: Sequence[Bars], rooms: Sequence[float], gap: float, margin: float
) -> tuple[list[dict[int, float]], list[float], float]:
    """Places bars side by side, with no gap where a group lacks one, and room for its name.

    Returns, in widths of a bar: for each group the place of each of its bars, the groups' centres,
    and the end of the axis.
    """
    places, centres, free = [], [], margin
    for group, room in enumerate(rooms):
        present = [n for n, b in enumerate(bars) if b.values[group] is not None]
        room = max(len(present), room)
        centres.append(free + (room - 1) / 2)
        first = centres[-1] - (len(present) - 1) / 2
        places.append({n: first + i for i, n in enumerate(present)})
        free += room + gap
    return places, centres, free - (gap - margin)


def _draw_bar(
    axes: Axes, place: float, value: Summary, bar: Bars, scale: Scale, across: bool
) -> None:
    mean, std = scale.factor * value.mean, scale.factor * value.std
    named = {"error_kw": style.ERROR_BARS, **bar.look}
    if across:
        axes.barh(place, mean, height=0.9, xerr=std or None, **named)
    else:
        axes.bar(place, mean, width=0.9, yerr=std or None, **named)
    end = (mean + std, place) if across else (place, mean + std)
    style.write_value(axes, scale.text(value.mean), end, beside=across)


def _patch(bars: Bars) -> Artist:
    """Returns the sign of bars in the legend."""
    from matplotlib.patches import Patch

    return Patch(label=bars.label, **bars.look)


def _named(axes: Axes, line: Line, scale: Scale) -> Artist:
    """Draws a level down a figure, and returns it for the legend."""
    label = f"{line.label} {scale.text(line.value)}"
    return axes.axvline(scale.factor * line.value, label=label, **line.look)
