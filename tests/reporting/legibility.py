"""Whether everything that is written in a figure can be read."""

from __future__ import annotations

import itertools
from contextlib import contextmanager

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text


@contextmanager
def collecting(render=True):
    """Yields a list to which every figure is added that is written meanwhile.

    Without rendering the files are empty, which is faster: `faults` lays a figure out by itself.
    """
    found, save = [], Figure.savefig

    def saving(figure, *arguments, **options):
        if render:
            save(figure, *arguments, **options)
        found.append(figure)

    Figure.savefig = saving
    try:
        yield found
    finally:
        Figure.savefig = save


def faults(figure):
    """What of a figure's texts and legends is cut off, or which text lies on another.

    Slanted texts are passed over.
    """
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw_without_rendering()
    texts = [t for t in _texts(figure) if t.get_text().strip() and t.get_rotation() in (0, 90)]
    boxes = [(t.get_text(), Text.get_window_extent(t, renderer)) for t in texts]
    width, height = figure.canvas.get_width_height()
    legends = [("the legend", legend.get_window_extent(renderer)) for legend in figure.legends]
    cut_off = [
        f"{text!r} is cut off"
        for text, box in boxes + legends
        if box.x0 < 0 or box.y0 < 0 or box.x1 > width or box.y1 > height
    ]
    overlaps = [
        f"{a!r} lies on {b!r}"
        for (a, one), (b, other) in itertools.combinations(boxes, 2)
        # A pixel in common cannot be seen.
        if min(one.x1, other.x1) - max(one.x0, other.x0) > 1
        and min(one.y1, other.y1) - max(one.y0, other.y0) > 1
    ]
    return cut_off + overlaps


def texts(figure):
    """What is written in a figure."""
    return {text.get_text() for text in _texts(figure)}


def _texts(figure):
    yield from figure.texts
    for legend in figure.legends:
        yield from legend.get_texts()
    for axes in figure.axes:
        if axes.get_visible():
            yield from (axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts)
            for axis in (axes.xaxis, axes.yaxis):
                low, high = sorted(axis.get_view_interval())
                ticks = zip(axis.get_majorticklocs(), axis.get_ticklabels(), strict=True)
                yield from (label for place, label in ticks if low <= place <= high)
