"""Bar charts that grow downwards, for many groups or for long names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from keras_compat.reporting.figures.bars import Bars, patch_of, style_of
from keras_compat.reporting.figures.levels import Line
from keras_compat.reporting.figures.style import (
    ERROR_BARS,
    PERCENT,
    Scale,
    add_legend,
    add_titles,
    new_figure,
    save,
    styled,
    write_value,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

_BAR_INCHES = 0.19
_GAP_INCHES = 0.11
_WIDTH_INCHES = 6.6


@styled
def draw_horizontal_bars(
    path: str | os.PathLike[str],
    groups: Sequence[str],
    bars: Sequence[Bars],
    lines: Sequence[Line] = (),
    title: str = "",
    subtitle: str = "",
    scale: Scale = PERCENT,
) -> None:
    """Draws what `draw_bars` draws, with the groups below one another; levels are in the legend.

    Args:
        path: the PNG to write; the folders above are made.
        groups: the groups' names, from the top.
        bars: the bars; one without any value is left out of the legend.
        lines: levels to mark.
        title: what stands above.
        subtitle: what stands below the title.
        scale: what the values are; fractions, drawn in percent, if nothing is said.

    Raises:
        InputError: if Matplotlib is not installed.

    Example:

    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "figure.png")
    >>> from keras_compat.reporting.records import Summary
    >>> draw_horizontal_bars(path, ["ResNet"], [Bars("rp", [Summary(0.9, 0.01, 3)], "#0072B2")])
    >>> os.path.getsize(path) > 0
    True
    """
    bars = [b for b in bars if any(v is not None for v in b.values)]
    present = [[b for b in bars if b.values[group] is not None] for group in range(len(groups))]
    inches = sum(_BAR_INCHES * len(p) + _GAP_INCHES for p in present)
    figure = new_figure(_WIDTH_INCHES, inches + 1.5)
    axes = figure.add_subplot()
    centres, free = [], 0.0
    for group, those in enumerate(present):
        for number, bar in enumerate(those):
            value = bar.values[group]
            mean, std = scale.factor * value.mean, scale.factor * value.std
            down = free + _BAR_INCHES * (number + 0.5)
            axes.barh(
                down,
                mean,
                height=0.9 * _BAR_INCHES,
                xerr=std or None,
                error_kw=ERROR_BARS,
                **style_of(bar),
            )
            write_value(axes, scale.text(value.mean), (mean + std, down), beside=True)
        centres.append(free + _BAR_INCHES * len(those) / 2)
        free += _BAR_INCHES * len(those) + _GAP_INCHES
    drawn = [_draw_level(axes, line, scale) for line in lines]
    axes.set_ylim(free, -_GAP_INCHES)
    axes.set_yticks(centres, groups, fontsize=9)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(scale.label, fontsize=9)
    axes.set_xlim(0, scale.top)
    axes.tick_params(axis="x", labelsize=8)
    axes.grid(axis="x", color="0.88", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    add_titles(figure, None, title, subtitle)
    add_legend(figure, [*map(patch_of, bars), *drawn])
    save(figure, path)


def _draw_level(axes: Axes, line: Line, scale: Scale) -> Line2D:
    return axes.axvline(
        scale.factor * line.value,
        label=f"{line.label} {scale.text(line.value)}",
        color="0.25",
        linestyle=line.style,
        linewidth=1,
        zorder=3,
    )
