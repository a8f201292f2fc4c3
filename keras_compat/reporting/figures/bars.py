"""Bar charts, grouped, with error bars over seeds."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keras_compat.reporting.figures.levels import Line, draw_levels
from keras_compat.reporting.figures.style import (
    ERROR_BARS,
    HEIGHT_INCHES,
    LETTER_INCHES,
    PERCENT,
    Scale,
    add_legend,
    add_titles,
    new_figure,
    save,
    style_values,
    styled,
    wrapped,
    write_value,
)
from keras_compat.reporting.records import Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Patch

_BAR_INCHES = 0.36


@dataclass(frozen=True)
class Bars:
    """One bar a group, of one meaning.

    Args:
        label: what the legend calls it.
        values: one summary a group; `None` where there is no bar.
        colour: the fill.
        published: whether the figures are another's, and drawn hatched on white.
    """

    label: str
    values: Sequence[Summary | None]
    colour: str
    published: bool = False


@styled
def draw_bars(
    path: str | os.PathLike[str],
    groups: Sequence[str],
    bars: Sequence[Bars],
    lines: Sequence[Line] = (),
    title: str = "",
    subtitle: str = "",
    scale: Scale = PERCENT,
) -> None:
    """Draws values as grouped bars, with error bars where there are several seeds.

    Args:
        path: the PNG to write; the folders above are made.
        groups: the groups' names; `\\n` breaks a line.
        bars: the bars; one without any value is left out of the legend.
        lines: levels to mark.
        title: what stands above.
        subtitle: what stands below the title, in smaller letters.
        scale: what the values are; fractions, drawn in percent, if nothing is said.

    Raises:
        InputError: if Matplotlib is not installed.

    Example:

    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "figure.png")
    >>> draw_bars(path, ["ResNet"], [Bars("recombined", [Summary(0.9, 0.01, 3)], "#0072B2")])
    >>> os.path.getsize(path) > 0
    True
    """
    bars = [b for b in bars if any(v is not None for v in b.values)]
    groups = [wrapped(name) for name in groups]
    places, centres, end = _places(groups, bars)
    figure = new_figure(max(4.6, _BAR_INCHES * end + 1.5), HEIGHT_INCHES)
    axes = figure.add_subplot()
    for number, bar in enumerate(bars):
        for place, summary in zip(places, bar.values, strict=True):
            if summary is not None:
                _draw_bar(axes, place[number], summary, bar, scale)
    axes.set_xlim(-0.5, end - 0.5)
    axes.set_xticks(centres, groups, fontsize=9)
    axes.tick_params(axis="x", length=0)
    drawn = [v.mean + v.std for b in bars for v in b.values if v is not None]
    style_values(axes, scale, max([*drawn, *(line.value for line in lines)], default=0.0))
    add_titles(figure, axes, title, subtitle)
    add_legend(figure, [patch_of(b) for b in bars])
    draw_levels(axes, lines, scale)
    save(figure, path)


def _places(
    groups: Sequence[str], bars: Sequence[Bars]
) -> tuple[list[dict[int, float]], list[float], float]:
    """Places bars side by side, with no gap where a group lacks one, and room for its name.

    Returns, in bar widths: for each group the place of each of its bars, the groups' centres,
    and where the last group ends.
    """
    places, centres, free = [], [], 0.4
    for group, name in enumerate(groups):
        present = [n for n, b in enumerate(bars) if b.values[group] is not None]
        letters = max(map(len, name.split("\n")))
        room = max(len(present), LETTER_INCHES * letters / _BAR_INCHES)
        centres.append(free + (room - 1) / 2)
        first = centres[-1] - (len(present) - 1) / 2
        places.append({n: first + i for i, n in enumerate(present)})
        free += room + 0.8
    return places, centres, free - 0.4


def style_of(bars: Bars) -> dict[str, object]:
    """Returns how bars are filled, for Matplotlib's patches.

    Args:
        bars: of one meaning.

    Returns:
        Keyword arguments.

    Example:

    >>> style_of(Bars("recombined", [], "#0072B2"))["facecolor"]
    '#0072B2'
    """
    if bars.published:
        return {"facecolor": "white", "edgecolor": bars.colour, "hatch": "////", "linewidth": 0.8}
    return {"facecolor": bars.colour, "edgecolor": bars.colour, "linewidth": 0.8}


def patch_of(bars: Bars) -> Patch:
    """Returns what stands for bars in the legend.

    Args:
        bars: of one meaning.

    Returns:
        A patch that looks like them, with their label.

    Example:

    >>> patch_of(Bars("recombined", [], "#0072B2")).get_label()
    'recombined'
    """
    from matplotlib.patches import Patch

    return Patch(label=bars.label, **style_of(bars))


def _draw_bar(axes: Axes, place: float, summary: Summary, bar: Bars, scale: Scale) -> None:
    mean, std = scale.factor * summary.mean, scale.factor * summary.std
    axes.bar(place, mean, width=0.9, yerr=std or None, error_kw=ERROR_BARS, **style_of(bar))
    write_value(axes, scale.text(summary.mean), (place, mean + std))
