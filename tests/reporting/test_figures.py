from __future__ import annotations

import sys
import warnings

import matplotlib
import numpy as np
import pytest
from PIL import Image

from keras_compat.errors import InputError
from keras_compat.reporting import Summary, figures
from keras_compat.reporting.figures import style
from keras_compat.reporting.figures.levels import draw_levels
from tests.reporting.legibility import collecting, faults, texts

ONE = Summary(0.5, 0.0, 1)
SEEDS = Summary(0.5, 0.2, 3)


def draw(path, values, lines=(), groups=("ResNet-8", "MobileNet V2")):
    bars = [figures.Bars("recombined", values, figures.BLUE)]
    figures.draw_bars(path, groups, bars, lines, title="title")
    return pixels(path)


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB"), "int32")


def shows(picture, colour):
    """Where a picture shows a colour."""
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return np.abs(picture - wanted).sum(-1) < 6


def rows_of(picture, colour):
    """How many rows of the picture show a colour: the height of the tallest bar of it."""
    return int(shows(picture, colour).any(1).sum())


def draw_one_of_each(folder, values=SEEDS):
    """One figure of every kind, with levels so close that their names must move."""
    folder.mkdir()
    levels = [figures.Line("upper bound", 0.86), figures.Line("upper bound, no RP", 0.84)]
    bars = [
        figures.Bars("recombined", [values, None], figures.BLUE),
        figures.Bars("recombined (paper)", [values, values], figures.BLUE, published=True),
    ]
    groups = ["IIW+colorization+DCC", "moving statistics, as trained"]
    figures.draw_bars(folder / "bars.png", groups, bars, levels, "title", "subtitle")
    figures.draw_bars(folder / "across.png", groups, bars, levels, "title", "subtitle", across=True)
    series = [
        figures.Series("fewer classes", {2: values, 9: values}),
        figures.Series("control", {2: values, 3: values}),
    ]
    figures.draw_lines(folder / "lines.png", series, levels, "title", "subtitle", "classes")
    maps = [figures.HeatMap(name, [[values, None], [values, values]]) for name in "abcdefghi"]
    names = ["cifar10_a", "cifar10_b"]
    figures.draw_heat_maps(folder / "maps.png", names, names, maps, "t", "s", "from", "to")
    places = [(0.1, 0.2), (0.9, 0.8)]
    points = [figures.Points("recombined", places), figures.Points("own head", places)]
    panels = dict.fromkeys(
        ("information", "confidence", "agreement", "features", "rotation"), points
    )
    figures.draw_points(folder / "points.png", panels, "title", "subtitle", "accuracy [%]")
    rows = [figures.Blocks("RP", [0.9, 0.1, -0.2], ["0.27±0.10", "-"])] * 2
    figures.draw_blocks(folder / "blocks.png", rows, ["mean", "paper"], "title", "subtitle")


def test_bars_are_as_high_as_their_values(tmp_path):
    low, high = Summary(0.4, 0.0, 1), Summary(0.8, 0.0, 1)
    twice = rows_of(draw(tmp_path / "a.png", [high, None]), figures.BLUE)
    once = rows_of(draw(tmp_path / "b.png", [low, None]), figures.BLUE)
    legend = rows_of(draw(tmp_path / "c.png", [Summary(0.0, 0.0, 1), None]), figures.BLUE)
    assert (twice - legend) / (once - legend) == pytest.approx(2, abs=0.05)


def test_horizontal_bars_are_as_long_as_their_values(tmp_path):
    bars = [
        figures.Bars("once", [Summary(0.4, 0.0, 1)], figures.BLUE),
        figures.Bars("twice", [Summary(0.8, 0.0, 1)], figures.ORANGE),
    ]
    figures.draw_bars(tmp_path / "a.png", ["group"], bars, across=True)
    # Without the legend.
    picture = pixels(tmp_path / "a.png")[:200]
    once, twice = (shows(picture, c).sum(1).max() for c in (figures.BLUE, figures.ORANGE))
    assert twice / once == pytest.approx(2, abs=0.05)


def test_every_kind_is_legible_and_the_same_each_time(tmp_path):
    with collecting() as drawn:
        draw_one_of_each(tmp_path / "a")
    draw_one_of_each(tmp_path / "b")
    assert [fault for figure in drawn for fault in faults(figure)] == []
    assert len(drawn) == 6
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_faults_are_found(tmp_path):
    """The check of legibility sees what it is for."""
    figure = style.new_figure(2, 1)
    figure.text(0.1, 0.5, "one")
    figure.text(0.12, 0.5, "two")
    figure.text(0.95, 0.1, "three")
    assert faults(figure) == ["'three' is cut off", "'one' lies on 'two'"]


def test_seeds_and_lines_are_drawn(tmp_path):
    plain = draw(tmp_path / "a.png", [ONE] * 2)
    seeds = draw(tmp_path / "b.png", [SEEDS] * 2)
    lines = draw(tmp_path / "c.png", [ONE] * 2, [figures.Line("bound", 0.5)])
    assert plain.shape == seeds.shape
    assert (plain != seeds).any()
    # Its label takes room on the right.
    assert plain.shape != lines.shape or (plain != lines).any()


def test_names_of_near_levels_stand_in_their_order(tmp_path):
    axes = style.new_figure(4, 3).add_subplot()
    axes.set_ylim(0, 108)
    values = (0.84, 0.86, 0.85, 0.1)
    draw_levels(axes, [figures.Line(f"{v}", v) for v in values], figures.PERCENT)
    places = {t.get_text().split()[0]: t.get_window_extent().y0 for t in axes.texts}
    assert sorted(places, key=places.get) == ["0.1", "0.84", "0.85", "0.86"]
    assert faults(axes.figure) == []


def test_named_places_keep_their_order_and_numbers_are_sorted(tmp_path):
    named = [
        figures.Series("one", {"stem": ONE, "stage2": ONE}),
        figures.Series("two", {"stage1": ONE}),
    ]
    with collecting() as drawn:
        figures.draw_lines(tmp_path / "a.png", named)
        figures.draw_lines(tmp_path / "b.png", [figures.Series("one", {8: ONE, 2: ONE})])
    ticks = [[t.get_text() for t in f.axes[0].get_xticklabels()] for f in drawn]
    assert ticks == [["stem", "stage2", "stage1"], ["2", "8"]]


def test_a_doubled_number_is_one_step(tmp_path):
    curve = figures.Series("batch", dict.fromkeys((1, 2, 4, 512), ONE))
    with collecting() as drawn:
        figures.draw_lines(tmp_path / "a.png", [curve], doubling=True)
    axes = drawn[0].axes[0]
    across = axes.transData.transform([(size, 0) for size in (1, 2, 4, 512)])[:, 0]
    assert np.diff(across) / (across[1] - across[0]) == pytest.approx([1, 1, 7])


def test_blocks_are_blue_where_channels_agree_and_red_where_they_do_not(tmp_path):
    rows = [figures.Blocks("a", [1.0, -1.0])]
    figures.draw_blocks(tmp_path / "a.png", rows)
    picture = pixels(tmp_path / "a.png")
    coloured = np.ptp(picture, axis=2) > 40
    # The blocks are above the bar that explains the colours.
    first_row = picture[coloured.any(1).argmax() + 3]
    blocks = first_row[np.ptp(first_row, axis=1) > 40]
    assert blocks[0][2] > blocks[0][0]
    assert blocks[-1][0] > blocks[-1][2]


def test_a_figure_that_is_no_fraction_has_its_own_scale(tmp_path):
    bars = [figures.Bars("time", [Summary(2.5, 0.0, 1)], figures.BLUE)]
    with collecting() as drawn:
        figures.draw_bars(tmp_path / "a.png", ["RP"], bars, scale=figures.Scale("ratio"))
    assert "2.50" in texts(drawn[0])
    assert drawn[0].axes[0].get_ylim()[1] > 2.5


def test_pyplot_is_left_alone(tmp_path):
    sys.modules.pop("matplotlib.pyplot", None)
    draw(tmp_path / "a.png", [ONE] * 2)
    assert "matplotlib.pyplot" not in sys.modules


def test_without_matplotlib_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(InputError, match="pip install 'keras_compat"):
        draw(tmp_path / "a.png", [ONE] * 2)


def test_every_kind_of_points_is_drawn_and_looks_different(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(style, "add_legend", lambda figure, kinds: drawn.extend(kinds))
    kinds = [figures.Points(str(number), [(number, 0.5)]) for number in range(20)]
    figures.draw_points(tmp_path / "points.png", {"panel": kinds})
    looks = {(*kind.get_facecolor()[0], kind.get_paths()[0].vertices.tobytes()) for kind in drawn}
    assert [kind.get_label() for kind in drawn] == [kind.label for kind in kinds]
    assert len(looks) == len(kinds)


def test_long_names_and_many_kinds_are_drawn_without_a_warning(tmp_path):
    names = [f"{number}_{'network' * 7}" for number in range(3)]
    cells = [[ONE] * 3] * 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures.draw_heat_maps(tmp_path / "a.png", names, names, [figures.HeatMap("rp", cells)])
        lines = [figures.Series("rp", dict.fromkeys(names, ONE))]
        figures.draw_lines(tmp_path / "b.png", lines)
        series = [figures.Series(f"kind {'x' * 40} {n}", {1: ONE, 2: ONE}) for n in range(50)]
        figures.draw_lines(tmp_path / "c.png", series)
        bars = [figures.Bars("$", [ONE] * 80, figures.BLUE)]
        figures.draw_bars(tmp_path / "d.png", ["$\\frac{$"] * 80, bars)


def test_a_users_own_style_changes_no_figure(tmp_path):
    draw(tmp_path / "one.png", [ONE, None])
    with matplotlib.rc_context({"font.size": 30, "text.color": "red"}):
        draw(tmp_path / "two.png", [ONE, None])
        assert matplotlib.rcParams["font.size"] == 30
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
