"""Curves: values over numbers, or over things in an order, such as split points."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from keras_compat.reporting.figures import style
from keras_compat.reporting.figures.levels import Line, draw_levels
from keras_compat.reporting.figures.style import PERCENT, Scale, styled
from keras_compat.reporting.records import Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

# Told apart also where colours are not.
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_STYLES = ("-", "--", "-.", ":")
_PLACE_INCHES = 0.33


@dataclass(frozen=True)
class Series:
    """One curve.

    Args:
        points: One summary by place: a number, or the name of a thing.
    """

    label: str
    points: Mapping[float | str, Summary]


@styled
def draw_lines(
    path: str | os.PathLike[str],
    series: Sequence[Series],
    lines: Sequence[Line] = (),
    title: str = "",
    subtitle: str = "",
    x_label: str = "",
    scale: Scale = PERCENT,
    doubling: bool = False,
    from_zero: bool = True,
) -> None:
    """Draws values over numbers or over named things, with error bars over seeds.

    Args:
        series: Curves. Their places are all numbers, or all names; names stand in the order in
            which the first curve, then the others, hold them.
        doubling: Whether a doubled number is one step to the right, wherever it is.
        from_zero: Whether the axis shows the whole scale. Otherwise it shows the drawn values
            alone, and small differences are seen.

    Example:

    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "figure.png")
    >>> draw_lines(path, [Series("dcc", {2: Summary(0.4, 0.1, 3), 9: Summary(0.7, 0.1, 3)})])
    >>> os.path.getsize(path) > 0
    True
    """
    places = list(dict.fromkeys(place for s in series for place in s.points))
    named = any(isinstance(place, str) for place in places)
    height = style.HEIGHT_INCHES + (style.slanted_inches(places) if named else 0)
    figure, axes = style.new_axes(
        max(5.8, _PLACE_INCHES * len(places) + 2.2), height, title, subtitle
    )
    if doubling:
        axes.set_xscale("log", base=2)
    at = dict(zip(places, range(len(places)), strict=True)) if named else {p: p for p in places}
    drawn = [_draw(axes, number, s, at, scale) for number, s in enumerate(series)]
    if named:
        # About an inch and a half goes to the axis of values and the levels' names.
        step_inches = (figure.get_figwidth() - 1.5) / len(places)
        crowded = style.LETTER_INCHES * max(map(len, places)) > 0.9 * step_inches
        turned = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if crowded else {}
        axes.set_xticks(range(len(places)), places, fontsize=8, **turned)
    else:
        axes.set_xticks(sorted(places), [f"{place:g}" for place in sorted(places)], fontsize=8)
        axes.minorticks_off()
    axes.set_xlabel(x_label, fontsize=9)
    values = [v for s in series for v in s.points.values()]
    highest = max([*(v.mean + v.std for v in values), *(line.value for line in lines)], default=0.0)
    style.style_values(axes, scale if from_zero else replace(scale, top=None), highest)
    if values and not from_zero:
        lowest = min([*(v.mean - v.std for v in values), *(line.value for line in lines)])
        room = 0.1 * (highest - lowest or highest or 1)
        axes.set_ylim(scale.factor * (lowest - room), scale.factor * (highest + room))
    style.add_legend(figure, drawn if len(series) > 1 else [])
    if len(series) == 1:
        # A curve alone leaves room for them.
        for place, value in series[0].points.items():
            above = scale.factor * (value.mean + value.std)
            style.write_value(
                axes, scale.text(value.mean), (at[place], above + 0.01 * axes.get_ylim()[1])
            )
    draw_levels(axes, lines, scale)
    style.save(figure, path)


def _draw(axes: Axes, number: int, series: Series, at: Mapping, scale: Scale) -> Line2D:
    across = [at[place] for place in series.points]
    up = [scale.factor * value.mean for value in series.points.values()]
    spread = [scale.factor * value.std for value in series.points.values()]
    colour = style.COLOURS[number % len(style.COLOURS)]
    if any(spread):
        axes.errorbar(across, up, spread, fmt="none", **{**style.ERROR_BARS, "ecolor": colour})
    (drawn,) = axes.plot(
        across,
        up,
        label=series.label,
        color=colour,
        marker=_MARKERS[number % len(_MARKERS)],
        linestyle=_STYLES[number % len(_STYLES)],
        markersize=4.5,
        linewidth=1.3,
        zorder=4,
    )
    return drawn
