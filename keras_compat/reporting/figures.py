"""Bar charts for papers: legible in print, told apart without colour vision."""

from __future__ import annotations

import io
import os
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from keras_compat.errors import missing_package
from keras_compat.files import write_bytes
from keras_compat.reporting.records import Summary

# Okabe and Ito's palette, https://jfly.uni-koeln.de/color: its members also differ in lightness.
BLUE = "#0072B2"
ORANGE = "#E69F00"
SKY = "#56B4E9"
VERMILION = "#D55E00"

_BAR_INCHES = 0.36
_HEIGHT_INCHES = 3.3
_LETTER_INCHES = 0.075
_NAME_LETTERS = 16


@dataclass(frozen=True)
class Bars:
    """One bar a group, of one meaning.

    Args:
        label: what the legend calls it.
        values: one summary of a fraction a group; `None` where there is no bar.
        colour: the fill.
        published: whether the figures are another's, and drawn hatched on white.
    """

    label: str
    values: Sequence[Summary | None]
    colour: str
    published: bool = False


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


def draw_bars(
    path: str | os.PathLike[str],
    groups: Sequence[str],
    bars: Sequence[Bars],
    lines: Sequence[Line] = (),
    title: str = "",
    subtitle: str = "",
) -> None:
    """Draws fractions as grouped bars in percent, with error bars where there are several seeds.

    Args:
        path: the PNG to write; its folder must exist.
        groups: the groups' names; `\\n` breaks a line.
        bars: the bars; one without any value is left out of the legend.
        lines: levels to mark.
        title: what stands above.
        subtitle: what stands below the title, in smaller letters.

    Raises:
        InputError: if Matplotlib is not installed.

    Example:

    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "figure.png")
    >>> draw_bars(path, ["ResNet"], [Bars("recombined", [Summary(0.9, 0.01, 3)], BLUE)])
    >>> os.path.getsize(path) > 0
    True
    """
    try:
        # Not pyplot: it would keep every figure, and choose a backend for the whole process.
        from matplotlib.figure import Figure
    except ImportError:
        raise missing_package("matplotlib", "drawing figures", "demo") from None

    bars = [b for b in bars if any(v is not None for v in b.values)]
    groups = [_wrapped(name) for name in groups]
    places, centres, end = _places(groups, bars)
    width = max(4.6, _BAR_INCHES * end + 1.5)
    figure = Figure(figsize=(width, _HEIGHT_INCHES), dpi=200, layout="constrained")
    axes = figure.add_subplot()
    for number, bar in enumerate(bars):
        for place, summary in zip(places, bar.values, strict=True):
            if summary is not None:
                _draw_bar(axes, place[number], summary, bar)
    for line in lines:
        axes.axhline(100 * line.value, color="0.25", linestyle=line.style, linewidth=1, zorder=3)
        axes.annotate(
            f" {line.label}\n {100 * line.value:.1f}",
            (1, 100 * line.value),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=8,
            annotation_clip=False,
        )
    axes.set_xlim(-0.5, end - 0.5)
    axes.set_xticks(centres, groups, fontsize=9)
    axes.tick_params(axis="x", length=0)
    axes.set_ylabel("accuracy [%]", fontsize=9)
    axes.set_ylim(0, 108)
    axes.set_yticks(range(0, 101, 20))
    axes.tick_params(axis="y", labelsize=8)
    axes.grid(axis="y", color="0.88", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, fontsize=10)
    axes.set_title(subtitle, fontsize=8)
    figure.legend(
        handles=[_patch(b) for b in bars],
        loc="outside lower center",
        ncols=min(len(bars), max(2, int(width // 2.2))),
        fontsize=8,
        frameon=False,
    )
    drawn = io.BytesIO()
    # Without the writer's version the same records give the same file.
    figure.savefig(drawn, format="png", metadata={"Software": None})
    write_bytes(path, drawn.getvalue())


def _wrapped(name: str) -> str:
    return "\n".join(w for line in name.split("\n") for w in textwrap.wrap(line, _NAME_LETTERS))


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
        room = max(len(present), _LETTER_INCHES * letters / _BAR_INCHES)
        centres.append(free + (room - 1) / 2)
        first = centres[-1] - (len(present) - 1) / 2
        places.append({n: first + i for i, n in enumerate(present)})
        free += room + 0.8
    return places, centres, free - 0.4


def _style(bar: Bars) -> dict[str, object]:
    if bar.published:
        return {"facecolor": "white", "edgecolor": bar.colour, "hatch": "////", "linewidth": 0.8}
    return {"facecolor": bar.colour, "edgecolor": bar.colour, "linewidth": 0.8}


def _patch(bar: Bars):
    from matplotlib.patches import Patch

    return Patch(label=bar.label, **_style(bar))


def _draw_bar(axes, place: float, summary: Summary, bar: Bars) -> None:
    from matplotlib.patheffects import withStroke

    mean, std = 100 * summary.mean, 100 * summary.std
    several = summary.count > 1
    axes.bar(
        place,
        mean,
        width=0.9,
        yerr=std if several else None,
        error_kw={"elinewidth": 1, "capsize": 2.5, "ecolor": "black", "zorder": 4},
        **_style(bar),
    )
    axes.annotate(
        f"{mean:.1f}",
        (place, mean + (std if several else 0)),
        xytext=(0, 2.5),
        textcoords="offset points",
        ha="center",
        fontsize=7.5,
        zorder=5,
        # A line that runs behind a value must not strike it out.
        path_effects=[withStroke(linewidth=1.5, foreground="white")],
    )
