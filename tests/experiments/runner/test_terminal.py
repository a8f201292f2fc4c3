"""Progress is coloured on a terminal alone, and only where colours are not declined."""

import os
import pty
import re

import numpy as np
import pytest

from keras_compat.experiments.runner.terminal import RoundsBar, shows_bars
from keras_compat.training import Task, Trainer
from tests.training.small import data, extractor, head


@pytest.fixture
def terminal():
    """A stream that is a terminal."""
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as stream:
        yield stream
    os.close(master)


@pytest.mark.parametrize(
    ("environment", "bars"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": ""}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
    ],
)
def test_a_terminal_may_decline(terminal, monkeypatch, environment, bars):
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert shows_bars(terminal) is bars


@pytest.mark.parametrize("no_color", ["", "1"])
def test_a_file_gets_plain_lines(capfd, monkeypatch, no_color):
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", "xterm")
    trainer = Trainer([Task("a", extractor("e"), head("h"))])
    trainer.compile("sgd")
    fit = {"batch_size": 8, "steps_per_epoch": 2, "verbose": 0}
    trainer.fit({"a": data()}, callbacks=[RoundsBar(2)], **fit)
    said = capfd.readouterr().out
    assert re.fullmatch(r"2/2 rounds - \d+s - loss: [\d.]+ - accuracy: [\d.]+\n", said)


def test_a_file_gets_a_line_every_half_minute(capfd, monkeypatch):
    clock = iter(np.arange(0, 1000, 20.0))
    monkeypatch.setattr(
        "keras_compat.experiments.runner.terminal.time.monotonic", lambda: float(next(clock))
    )
    bar = RoundsBar(6)
    bar.set_model(type("Model", (), {"rounds": 0})())
    bar.on_train_begin()
    for batch in range(6):
        bar.on_train_batch_end(batch, {"loss": 0.5})
    bar.on_train_end({"loss": 0.25})
    lines = capfd.readouterr().out.splitlines()
    assert lines[-1].endswith("loss: 0.25") and 2 <= len(lines) < 6
    assert all(line.isprintable() for line in lines)
