"""Shared look of all figures: colours, scales, size of letters, titles, legends and files."""

from __future__ import annotations

import functools
import hashlib
import io
import os
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from keras_compat.errors import missing_package
from keras_compat.escaping import escape
from keras_compat.files import write_bytes

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

# Okabe and Ito's palette, https://jfly.uni-koeln.de/color: its members also differ in lightness.
BLUE = "#0072B2"
ORANGE = "#E69F00"
SKY = "#56B4E9"
VERMILION = "#D55E00"
GREEN = "#009E73"
PINK = "#CC79A7"
COLOURS = (BLUE, ORANGE, GREEN, VERMILION, SKY, PINK, "#000000", "#888888")

HEIGHT_INCHES = 3.3
LETTER_INCHES = 0.075
"""Width of a letter of an axis' names."""
_NAME_LETTERS = 16
_LONGEST_NAME = 60
_MOST_LINES = 4
_LEGEND_ROWS = 6
# Longest side that Matplotlib can draw, and a machine can hold.
_MOST_INCHES = 60

ERROR_BARS = {"elinewidth": 1, "capsize": 2.5, "ecolor": "black", "zorder": 4}


@dataclass(frozen=True)
class Scale:
    """Meaning of an axis of values.

    Args:
        label: Name of the measure, with its unit.
        factor: Number that values are multiplied by before they are drawn.
        digits: Number of digits after the point, where a value is written out.
        top: End of the axis; `None` leaves room above the highest value.
    """

    label: str
    factor: float = 1.0
    digits: int = 2
    top: float | None = None

    def text(self, value: float) -> str:
        """Returns a value as it is written in the figure.

        Example:

        >>> PERCENT.text(0.917)
        '91.7'
        """
        return f"{self.factor * value:.{self.digits}f}"


# Room for a value's text above a bar of 100.
PERCENT = Scale("accuracy [%]", 100, 1, 108)


def styled(draw: Callable[..., None]) -> Callable[..., None]:
    """Lets a function draw in Matplotlib's own style, in which no text is a formula.

    Returns:
        The function; the user's style of other figures stays as it is.

    Example:

    >>> @styled
    ... def draw(path):
    ...     save(new_figure(1, 1, r"$\\frac{$"), path)
    >>> import os, tempfile
    >>> draw(os.path.join(tempfile.mkdtemp(), "figure.png"))
    """

    @functools.wraps(draw)
    def drawn(*arguments: object, **named: object) -> None:
        with _matplotlib("style").context(["default", {"text.parse_math": False}]):
            draw(*arguments, **named)

    return drawn


def drawable(text: str) -> str:
    """Returns a name as it can be drawn: one line, not too long, of letters that the font has.

    Returns:
        The text, with the codes of other letters; a long one is cut, and ends in letters that
        tell it apart.

    Example:

    >>> print(drawable("digits"), drawable("猫"), len(drawable("long " * 100)))
    digits \\u732b 60
    """
    known = _letters_of_the_font()
    shown = "".join(
        c if ord(c) in known else c.encode("unicode_escape").decode() for c in escape(text)
    )
    if len(shown) <= _LONGEST_NAME:
        return shown
    digest = hashlib.sha256(shown.encode()).hexdigest()[:8]
    return f"{shown[: _LONGEST_NAME - 10]}… {digest}"


@functools.cache
def _letters_of_the_font() -> frozenset[int]:
    fonts = _matplotlib("font_manager")
    return frozenset(fonts.get_font(fonts.findfont("DejaVu Sans")).get_charmap())


def _matplotlib(module: str) -> Any:
    try:
        return import_module(f"matplotlib.{module}")
    except ImportError:
        raise missing_package("matplotlib", "drawing figures", "demo") from None


def new_figure(width: float, height: float, title: str = "", subtitle: str = "") -> Figure:
    """Returns a figure that lays itself out without overlaps, apart from pyplot's global state.

    Raises:
        InputError: if Matplotlib is not installed.

    Example:

    >>> float(new_figure(4, 3).get_figwidth())
    4.0
    """
    # Not pyplot: it would keep every figure, and choose a backend for the whole process.
    size = min(width, _MOST_INCHES), min(height, _MOST_INCHES)
    figure = _matplotlib("figure").Figure(figsize=size, dpi=200, layout="constrained")
    lines = [_filled(line, size[0], 10) for line in (title, subtitle) if line]
    if lines:
        figure.suptitle("\n".join(lines), fontsize=10)
    return figure


def new_axes(width: float, height: float, title: str, subtitle: str) -> tuple[Figure, Axes]:
    """Returns a figure with one pair of axes, and the subtitle above these in smaller letters.

    Example:

    >>> new_axes(4, 3, "title", "subtitle")[1].get_title()
    'subtitle'
    """
    figure = new_figure(width, height, title)
    axes = figure.add_subplot()
    # It is centred above the axes, which are narrower by their names on both sides.
    axes.set_title(_filled(subtitle, figure.get_figwidth() - 1.6, 8), fontsize=8)
    return figure, axes


def style_values(axes: Axes, scale: Scale, highest: float, across: bool = False) -> None:
    """Gives an axis of values its name, its limits and its grid.

    Args:
        highest: Highest drawn value, with its error bar, before the scale's factor.
        across: Whether values go to the right, and not up.

    Example:

    >>> axes = new_figure(4, 3).add_subplot()
    >>> style_values(axes, PERCENT, 0.9)
    >>> axes.get_ylabel()
    'accuracy [%]'
    """
    which = "x" if across else "y"
    axis = getattr(axes, f"{which}axis")
    axis.set_label_text(scale.label, fontsize=9)
    axes.set(**{f"{which}lim": (0, scale.top or 1.15 * scale.factor * highest or 1)})
    if scale.top == PERCENT.top:
        axis.set_ticks(range(0, 101, 20))
    axes.tick_params(axis=which, labelsize=8)
    axes.grid(axis=which, color="0.88", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def slanted_inches(names: Sequence[str]) -> float:
    """Returns by how many inches a figure must be higher for names that stand aslant below it.

    There is room for names of up to 24 letters.

    Example:

    >>> slanted_inches(["stage1"]), slanted_inches(["x" * 25]) > 0
    (0.0, True)
    """
    return 0.7 * LETTER_INCHES * max(0.0, *(len(name) - 24.0 for name in names))


def write_value(axes: Axes, text: str, place: tuple[float, float], beside: bool = False) -> None:
    """Writes a value above a point; a line behind it does not strike it out.

    Args:
        beside: Whether the value stands on the right of the point, and not above.

    Example:

    >>> write_value(new_figure(4, 3).add_subplot(), "91.7", (0, 91.7))
    """
    axes.annotate(
        text,
        place,
        xytext=(3.5, -0.5) if beside else (0, 2.5),
        textcoords="offset points",
        ha="left" if beside else "center",
        va="center" if beside else "bottom",
        fontsize=7.5,
        zorder=5,
        bbox={"boxstyle": "square,pad=0.08", "facecolor": "white", "edgecolor": "none"},
    )


def add_legend(figure: Figure, handles: Sequence[Artist]) -> None:
    """Puts the legend below everything, in as many columns as there is room for.

    Example:

    >>> add_legend(new_figure(4, 3), [])
    """
    if handles:
        longest = max(len(handle.get_label()) for handle in handles)
        room = int(figure.get_figwidth() // (0.056 * longest + 0.75))
        columns = min(len(handles), max(2, room))
        # There is room for a few rows; more of them must not take that of the axes.
        more = max(0, -(-len(handles) // columns) - _LEGEND_ROWS)
        figure.set_figheight(min(figure.get_figheight() + 0.2 * more, _MOST_INCHES))
        figure.legend(
            handles=handles,
            loc="outside lower center",
            ncols=columns,
            # Long enough to show a broken line beside its marker.
            handlelength=2.4,
            fontsize=8,
            frameon=False,
        )


def add_colour_bar(figure: Figure, picture: ScalarMappable, legend: str, **place: Any) -> None:
    """Puts a bar that explains the colours beside the axes of a figure.

    Example:

    >>> figure = new_figure(4, 3)
    >>> add_colour_bar(figure, figure.add_subplot().imshow([[0, 1]]), "correlation")
    """
    bar = figure.colorbar(picture, ax=figure.axes, **place)
    bar.set_label(legend, fontsize=8)
    bar.ax.tick_params(labelsize=8)


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Writes a figure as PNG, whole or not at all; the folders above are made.

    Example:

    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "figure.png")
    >>> save(new_figure(1, 1), path)
    >>> os.path.getsize(path) > 0
    True
    """
    drawn = io.BytesIO()
    # Without the writer's version the same records give the same file.
    figure.savefig(drawn, format="png", metadata={"Software": None})
    write_bytes(path, drawn.getvalue())


def wrapped(name: str) -> str:
    """Returns a name in lines short enough to stand beside others; no word is broken.

    Args:
        name: Name; `\\n` breaks a line.

    Example:

    >>> wrapped("upper bound, changed")
    'upper bound,\\nchanged'
    >>> wrapped("iiw+rp+dcc"), wrapped("iiw+colorization")
    ('iiw+rp+dcc', 'iiw+\\ncolorization')
    """
    # Names of methods may also be broken after a plus.
    lines = name.replace("+", "+ ").split("\n")
    parts = [
        part
        for line in lines
        for part in textwrap.wrap(line, _NAME_LETTERS, break_long_words=False)
    ]
    return "\n".join(parts).replace("+ ", "+")


def _filled(text: str, inches: float, points: float) -> str:
    """Returns a title in lines that are as long as there is room for, and not too many of them."""
    letters = int(inches * 72 / (0.53 * points))
    return textwrap.fill(text, letters, max_lines=_MOST_LINES, placeholder=" …")
