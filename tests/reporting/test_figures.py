from __future__ import annotations

import sys

import numpy as np
import pytest
from PIL import Image

from keras_compat.errors import InputError
from keras_compat.reporting import Summary, figures


def draw(path, values, lines=(), groups=("ResNet-8", "MobileNet V2")):
    bars = [figures.Bars("recombined", values, figures.BLUE)]
    figures.draw_bars(path, groups, bars, lines, title="title")
    return np.asarray(Image.open(path).convert("RGB"), "int32")


def rows_of(picture, colour):
    """How many rows of the picture show a colour: the height of the tallest bar of it."""
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return int((np.abs(picture - wanted).sum(-1) < 6).any(1).sum())


def test_bars_are_as_high_as_their_values(tmp_path):
    low, high = Summary(0.4, 0.0, 1), Summary(0.8, 0.0, 1)
    twice = rows_of(draw(tmp_path / "a.png", [high, None]), figures.BLUE)
    once = rows_of(draw(tmp_path / "b.png", [low, None]), figures.BLUE)
    legend = rows_of(draw(tmp_path / "c.png", [Summary(0.0, 0.0, 1), None]), figures.BLUE)
    assert (twice - legend) / (once - legend) == pytest.approx(2, abs=0.05)


def test_same_input_gives_the_same_bytes(tmp_path):
    for name in ("a.png", "b.png"):
        draw(tmp_path / name, [Summary(0.9, 0.01, 3), None], [figures.Line("chance", 0.1)])
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_seeds_and_lines_are_drawn(tmp_path):
    plain = draw(tmp_path / "a.png", [Summary(0.5, 0.0, 1)] * 2)
    seeds = draw(tmp_path / "b.png", [Summary(0.5, 0.2, 3)] * 2)
    lines = draw(tmp_path / "c.png", [Summary(0.5, 0.0, 1)] * 2, [figures.Line("bound", 0.5)])
    assert plain.shape == seeds.shape
    assert (plain != seeds).any()
    # Its label takes room on the right.
    assert plain.shape != lines.shape or (plain != lines).any()


def test_long_names_do_not_overlap():
    names = ["MobileNet V2 width 1.4 and more\n(reference)"] * 3
    wrapped = [figures._wrapped(name) for name in names]
    bars = [figures.Bars("a", [Summary(0.5, 0.0, 1)] * 3, figures.BLUE)]
    _, centres, _ = figures._places(wrapped, bars)
    longest = max(len(line) for line in wrapped[0].split("\n"))
    assert min(np.diff(centres)) * figures._BAR_INCHES > longest * figures._LETTER_INCHES


def test_pyplot_is_left_alone(tmp_path):
    sys.modules.pop("matplotlib.pyplot", None)
    draw(tmp_path / "a.png", [Summary(0.5, 0.0, 1)] * 2)
    assert "matplotlib.pyplot" not in sys.modules


def test_without_matplotlib_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(InputError, match="pip install 'keras_compat"):
        draw(tmp_path / "a.png", [Summary(0.5, 0.0, 1)] * 2)
