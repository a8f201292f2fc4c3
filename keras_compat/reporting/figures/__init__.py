"""Figures for papers: legible in print, told apart without colour vision, the same bytes each time.

One file a kind of picture; `style.py` holds the shared look. Each `draw_...` function writes a PNG
at `path`, whose folders it makes, with `title` and `subtitle` above the picture. It raises
`InputError` if Matplotlib is not installed.
"""

from keras_compat.reporting.figures.bars import Bars, draw_bars
from keras_compat.reporting.figures.blocks import Blocks, draw_blocks
from keras_compat.reporting.figures.heat_maps import HeatMap, draw_heat_maps
from keras_compat.reporting.figures.levels import Line
from keras_compat.reporting.figures.lines import Series, draw_lines
from keras_compat.reporting.figures.points import Points, draw_points
from keras_compat.reporting.figures.style import (
    BLUE,
    COLOURS,
    GREEN,
    ORANGE,
    PERCENT,
    PINK,
    SKY,
    VERMILION,
    Scale,
)

__all__ = [
    "BLUE",
    "COLOURS",
    "GREEN",
    "ORANGE",
    "PERCENT",
    "PINK",
    "SKY",
    "VERMILION",
    "Bars",
    "Blocks",
    "HeatMap",
    "Line",
    "Points",
    "Scale",
    "Series",
    "draw_bars",
    "draw_blocks",
    "draw_heat_maps",
    "draw_lines",
    "draw_points",
]
