from __future__ import annotations

import pytest

from keras_compat.reporting import Summary, Table, number, percent


def test_text_columns_line_up_whatever_the_lengths():
    table = Table(["name", "a very long header", "b"], [["x", "1", "22.2"], ["longer", "10", "-"]])
    lines = table.text(header_width=6).splitlines()
    widths = [len(part) for part in next(line for line in lines if line[:2] == "--").split("  ")]
    assert widths == [6, 6, 4]
    assert lines[-2:] == ["x            1  22.2", "longer      10     -"]
    assert max(map(len, lines)) == sum(widths) + 4


def test_a_long_word_is_not_broken():
    assert "architecture" in Table(["a", "changed architecture"], []).text(header_width=4)


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="2 cells"):
        Table(["a", "b"], [["1"]])


def test_markdown_has_one_line_a_row_and_escapes_bars():
    lines = Table(["a", "b"], [["x|y", "1"], ["z", "2"]]).markdown().splitlines()
    assert lines[1] == "|:--|--:|"
    assert lines[2] == "| x\\|y | 1 |"
    assert len(lines) == 4


def test_percent_shows_spread_only_where_there_are_seeds():
    assert percent(Summary(0.91666, 0.00449, 3)) == "91.7±0.4"
    assert percent(Summary(0.91666, 0.0, 1)) == "91.7"
    assert percent(Summary(0.5, 0.0, 2)) == "50.0±0.0"
    assert percent(None) == "-"


def test_number_keeps_its_unit_and_shows_spread_only_where_there_are_seeds():
    assert number(Summary(-0.384, 0.006, 3)) == "-0.38±0.01"
    assert number(Summary(42.26, 0.0, 1), 1) == "42.3"
    assert number(None) == "-"
