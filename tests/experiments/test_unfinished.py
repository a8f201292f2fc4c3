"""A run without `metrics.json` is unfinished to all that read runs."""

from __future__ import annotations

import pytest

from keras_compat.errors import InputError
from keras_compat.experiments.components.run_discovery import parts_of_network, parts_of_run
from keras_compat.experiments.domain_adaptation.execute import stored_network
from keras_compat.experiments.runner.run_folder import RunFolder
from keras_compat.reporting import load_metrics
from keras_compat.reporting.finished import CONFIG, FINISHED, LOCK, check_finished_above
from keras_compat.reporting.merging import merge_files

pytestmark = pytest.mark.once
NETWORK, CELL = "networks/animals", "cells/iiw_seed0/networks"


@pytest.fixture
def run(tmp_path):
    folder = RunFolder(tmp_path / "run", {"seed": 0})
    for name in (NETWORK, CELL, "steps"):
        (folder.partial / name).mkdir(parents=True)
    folder.release()
    return folder.path


@pytest.mark.parametrize("left", [(CONFIG,), (LOCK,), (CONFIG, LOCK)])
@pytest.mark.parametrize(
    "read",
    [
        lambda run: load_metrics(run / FINISHED),
        lambda run: merge_files([run / FINISHED]),
        parts_of_run,
        lambda run: parts_of_network(run / NETWORK),
        lambda run: parts_of_network(run / "cells" / "iiw_seed0"),
        lambda run: parts_of_network(run / CELL),
        lambda run: stored_network(str(run / NETWORK)),
    ],
)
def test_a_reader_says_in_one_line_that_a_run_is_unfinished(run, left, read):
    for name in {CONFIG, LOCK} - set(left):
        (run / name).unlink()
    with pytest.raises(InputError, match=f"{run} holds an unfinished run.*give that command") as e:
        read(run)
    assert "\n" not in str(e.value)


def test_a_network_that_was_copied_out_of_its_run_is_read(run, tmp_path):
    (run / NETWORK).rename(tmp_path / "animals")
    check_finished_above(tmp_path / "animals")
    (run / FINISHED).write_text("{}")
    check_finished_above(run / CELL)
