from __future__ import annotations

import io
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_compat.experiments import command_line
from keras_compat.experiments.naming import LONGEST_NAME, distinct_names
from keras_compat.experiments.runner.terminal import Terminal
from keras_compat.experiments.start_up import one_line_warnings
from keras_compat.printing import tell

pytestmark = pytest.mark.once

FORGED = "head\x1b]0;owned\x07\n0 fault(s)\u202e\udce9\r"


@given(st.lists(st.text(max_size=20), max_size=4), st.sampled_from(["ascii", "latin-1", "utf-8"]))
def test_each_text_is_one_line_on_any_terminal(texts, encoding):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    tell(*texts, to=stream)
    lines = stream.buffer.getvalue().decode(encoding).split("\n")
    assert len(lines) == len(texts) + 1
    assert not any(set(line) & set("\x1b\r\x07\u202e\u2028\x85\x9b") for line in lines)


def test_progress_flags_and_warnings_are_told_in_lines_of_their_own(capsys, monkeypatch):
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    one_line_warnings()
    terminal = Terminal(phases=1)
    terminal.phase(FORGED)
    terminal.line(FORGED)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        print(warnings.formatwarning(FORGED, UserWarning, "f", 1), end="")
    with pytest.raises(SystemExit) as ended:
        command_line.make_parser("").parse_args([f"--{FORGED}"])
    assert ended.value.code == 2
    told = capsys.readouterr()
    assert told.out.count("\n") == 3
    assert told.err.splitlines()[-1].endswith(
        "unrecognized arguments: --head\\x1b]0;owned\\x07\\n0 fault(s)\\u202e\\xe9\\r"
    )
    assert not set(told.out + told.err) & set("\x1b\r\x07\u202e")


def test_a_flag_file_that_is_not_there_is_one_line(capsys):
    with pytest.raises(SystemExit):
        command_line.make_parser("").parse_args(["--flagfile=/no/such/file"])
    assert "no/such/file" in capsys.readouterr().err.splitlines()[-1]


def test_long_names_of_data_stay_apart_in_names_of_folders():
    names = distinct_names(["x" * 250 + "a", "x" * 250 + "b", "short"])
    assert len(set(names)) == 3
    assert names[-1] == "short"
    assert max(map(len, names)) == LONGEST_NAME
