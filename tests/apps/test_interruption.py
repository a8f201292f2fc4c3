"""Runs that are killed, told to end, or meet a full disk, as a shell sees them."""

import errno
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from apps import transfer_learning
from keras_compat.experiments.loading import load_dataset
from keras_compat.experiments.runner import item_folder
from keras_compat.reporting import load_metrics
from tests.apps.interrupted import differing
from tests.apps.shell import ROOT, app, exit_code
from tests.apps.small_runs import few_steps
from tests.experiments.two_sets import THINGS, write_set

NAME = "transfer_learning"


# Rounds that take longer than making their programs, again after each kill.
LONG = {
    "classifier_transfer": ["--joint_rounds=4000", "--update_rounds=4000", "--bound_rounds=150"],
    "compatibility_analysis": ["--methods=independent,iiw+rp", "--rounds=1000"],
    "domain_adaptation": ["--rounds=1000", "--adaptation_rounds=200", "--checkpoints=5"],
    NAME: ["--rounds=1500", "--epochs=60"],
}


@pytest.fixture
def flags_of(sets):
    """Returns a function that gives an app's flags."""
    return lambda app: few_steps(app, sets.animals, sets.things, "--augment")


def figures(run):
    """Returns what was measured, without what two runs of the same weights differ in."""
    found = load_metrics(run / "metrics.json")["results"]
    return [r for r in found if not r["metric"].endswith(("_seconds", "_memory_gib"))]


def leaves_the_same(place, kills, name, flags):
    """Whether a run that is killed again and again leaves what one does that is not."""
    more = [*flags, "--checkpoint_seconds=0.1"]
    command = [sys.executable, "-m", "tests.apps.interrupted", str(place), str(kills), name]
    done = subprocess.run([*command, *more], cwd=ROOT, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stderr
    hit, went_on = map(int, done.stdout.split()[-2:])
    assert hit == kills
    # From within a training; other kills hit what comes between, or a training that had just begun.
    assert went_on >= kills / 4
    assert differing(place / "whole", place / "killed") == []
    assert figures(place / "whole") == figures(place / "killed")
    return not list((place / "killed").rglob("checkpoints"))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads processor time there")
@pytest.mark.parametrize("name", LONG)
def test_killed_at_random_moments_it_leaves_what_one_that_was_not_does(name, flags_of, tmp_path):
    assert leaves_the_same(tmp_path, 20 if name == NAME else 8, name, flags_of(name) + LONG[name])


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.parametrize("name", LONG)
def test_two_processes_measure_what_one_does(name, flags_of, tmp_path):
    found = []
    for jobs in (1, 2):
        place = tmp_path / str(jobs)
        # The others have several items of one seed.
        seeds = 2 if name == "classifier_transfer" else 1
        more = ["--no-augment", f"--seeds={seeds}", f"--jobs={jobs}", f"--output_dir={place}"]
        done = app(name, *flags_of(name), *more)
        assert (done.returncode, done.stderr) == (0, "")
        found.append(figures(place))
    assert found[0] == found[1] != []


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_told_to_end_it_writes_a_checkpoint_and_ends_with_143(flags_of, tmp_path, jobs):
    place = tmp_path / "run"
    # Long enough to be met in the midst of it; the only checkpoint is the one on being told.
    more = ["--rounds=100000", "--checkpoint_seconds=3600", f"--jobs={jobs}"]
    flags = [*flags_of(NAME), *more, f"--output_dir={place}"]
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", f"apps.{NAME}", *flags],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    trained = tmp_path / "run" / "steps" / "rotation_head_seed0"
    while not process.stdout.readline().startswith("[2/3]"):
        assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(40)  # for the training to begin
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 143
    assert said.strip().startswith("terminated; 0 of 4 work items are finished and kept; ")
    assert "\n" not in said.strip()
    assert len(list(trained.rglob("*.safetensors"))) == 1


def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device", "a file")


def run_main(flags, monkeypatch, capsys):
    return exit_code(transfer_learning.run, flags, monkeypatch), capsys.readouterr().err


@pytest.mark.once
def test_what_a_full_disk_or_data_that_are_gone_end_keeps_its_checkpoint(
    flags_of, tmp_path, monkeypatch, capsys
):
    file = tmp_path / "things.npz"
    target = f"--target={write_set(file, THINGS, images=(48, 60), seed=1)}"
    flags = [
        *flags_of(NAME),
        target,
        "--rounds=3",
        "--no-augment",
        f"--output_dir={tmp_path / 'run'}",
    ]
    with monkeypatch.context() as patch:
        patch.setattr(item_folder.ItemFolder, "save_records", full)
        code, said = run_main([*flags, "--checkpoint_seconds=0.000001"], patch, capsys)
    assert code == 2
    assert said.startswith("error: No space left on device: 'a file'; what was finished and the ")
    assert said.count("\n") == 1
    kept = tmp_path / "run" / "steps" / "rotation_head_seed0" / "checkpoints"
    assert len(list(kept.rglob("*.safetensors"))) == 2
    load_dataset.cache_clear()
    away = file.rename(file.with_suffix(".away"))
    code, said = run_main(flags, monkeypatch, capsys)
    away.rename(file)
    assert (code, said.count("\n")) == (2, 1)
    assert said.startswith("error: ") and str(file) in said
    assert len(list(kept.rglob("*.safetensors"))) == 2


@pytest.mark.once
@pytest.mark.parametrize("seconds", ["-1", "nan"])
def test_seconds_that_make_no_sense_are_named(flags_of, seconds, monkeypatch, capsys):
    code, said = run_main([*flags_of(NAME), f"--checkpoint_seconds={seconds}"], monkeypatch, capsys)
    assert (code, said) == (
        2,
        f"error: checkpoint_seconds is {seconds}; expected 0 (none) or more\n",
    )
