"""Only a run is ever replaced, and only what is whole looks finished."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from keras_compat.errors import InputError
from keras_compat.experiments.runner.output_folder import (
    CONFIG,
    FINISHED,
    INSIDE,
    LOCK,
    MOVING,
    OutputFolder,
)
from keras_compat.reporting import write_metrics

ROOT = Path(__file__).parents[2]
FIRST = {"seed": 0, "extractors": {"a": "resnet8"}, "maintain": ("extractor",)}
OTHER = {**FIRST, "seed": 1}

posix = pytest.mark.skipif(os.name != "posix", reason="modes, locks and mounts are POSIX")


def fill(folder, chance=0.1):
    (folder.partial / "figures").mkdir()
    (folder.partial / "figures" / "a.png").write_text("figure")
    write_metrics(
        folder.partial / FINISHED,
        experiment="demo",
        config=FIRST,
        data={},
        durations_s={},
        results=[{"metric": "chance", "value": chance}],
        versions={},
        hardware={},
    )
    return folder


def make_run(path, chance=0.1, **options):
    return fill(OutputFolder(path, FIRST, **options), chance).finish()


def chance(path):
    return json.loads((path / FINISHED).read_text())["results"][0]["value"]


def tree(path):
    """Every file below a folder, with its content."""
    return {
        str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()
    }


def refuse(path, message, config=FIRST, overwrite=False):
    """Returns what is said when a folder is refused, which is one line."""
    with pytest.raises(InputError, match=message) as caught:
        OutputFolder(path, config, overwrite)
    assert "\n" not in str(caught.value)
    return str(caught.value)


RUN_FILES = [CONFIG, "figures", FINISHED]


def test_nothing_is_in_the_place_before_the_end(tmp_path):
    place = tmp_path / "a" / "run"
    folder = fill(OutputFolder(place, FIRST))
    assert not place.exists()
    assert folder.partial == tmp_path / "a" / "run.partial"
    assert folder.finish() == place
    assert sorted(os.listdir(place)) == RUN_FILES
    assert os.listdir(place.parent) == ["run"]


def test_a_finished_run_is_replaced_only_on_request_and_only_at_the_end(tmp_path):
    place = make_run(tmp_path / "run")
    (place / "old.txt").write_text("")
    refuse(place, "holds a finished run.*--overwrite")
    folder = fill(OutputFolder(place, OTHER, overwrite=True), 0.5)
    assert chance(place) == 0.1
    folder.finish()
    assert chance(place) == 0.5
    assert sorted(os.listdir(place)) == RUN_FILES
    assert os.listdir(tmp_path) == ["run"]


def test_an_unfinished_run_of_the_same_settings_is_begun_again(tmp_path):
    (OutputFolder(tmp_path / "run", FIRST).partial / "left").write_text("over")
    again = OutputFolder(tmp_path / "run", FIRST)
    assert not (again.partial / "left").exists()


def test_an_unfinished_run_of_other_settings_is_replaced_only_on_request(tmp_path):
    partial = OutputFolder(tmp_path / "run", FIRST).partial
    (partial / "left").write_text("over")
    before = tree(partial)
    refuse(tmp_path / "run", r"another configuration \(seed is 0 there, 1 here\)", OTHER)
    assert tree(partial) == before
    folder = OutputFolder(tmp_path / "run", OTHER, overwrite=True)
    assert json.loads((folder.partial / CONFIG).read_text())["seed"] == 1
    assert not (partial / "left").exists()


# What is not a run ------------------------------------------------------------------------------


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    "files",
    [
        {"thesis.tex": "x"},
        {FINISHED: "{}", CONFIG: "{}", "thesis.tex": "x"},
        {FINISHED: "loss: 1", "thesis.tex": "x"},
        {f"{INSIDE}/thesis.tex": "x"},
        {f"{INSIDE}/{MOVING}": '["thesis.tex", "../outside"]', "thesis.tex": "x"},
    ],
)
def test_a_folder_of_other_files_is_never_touched(tmp_path, files, overwrite):
    for name, content in files.items():
        path = tmp_path / "mine" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    before = tree(tmp_path)
    refuse(tmp_path / "mine", "holds other|holds others", overwrite=overwrite)
    assert tree(tmp_path) == before


def test_a_metrics_file_alone_is_no_run(tmp_path):
    place = make_run(tmp_path / "run")
    (place / CONFIG).unlink()
    refuse(place, "holds other files", overwrite=True)
    assert (place / FINISHED).exists()


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_plain_file_is_never_touched(tmp_path, overwrite):
    (tmp_path / "f").write_text("mine")
    refuse(tmp_path / "f", "is a file", overwrite=overwrite)
    assert tree(tmp_path) == {"f": b"mine"}


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", ["thesis.tex", CONFIG])
def test_a_foreign_partial_folder_is_never_touched(tmp_path, name, overwrite):
    (tmp_path / "x.partial").mkdir()
    (tmp_path / "x.partial" / name).write_text('{"name": "somebody else\'s"}')
    before = tree(tmp_path)
    refuse(tmp_path / "x", "x.partial.*holds others", overwrite=overwrite)
    assert tree(tmp_path) == before


def test_a_left_over_folder_beside_the_place_is_no_obstacle(tmp_path):
    place = make_run(tmp_path / "g")
    (tmp_path / "g.replaced").mkdir()
    (tmp_path / "g.replaced" / "thesis.tex").write_text("x")
    make_run(place, 0.5, overwrite=True)
    assert chance(place) == 0.5
    assert (tmp_path / "g.replaced" / "thesis.tex").read_text() == "x"


# The place at the end ---------------------------------------------------------------------------


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_that_appeared_during_the_run_is_kept_and_so_is_the_run(tmp_path, overwrite):
    folder = fill(OutputFolder(tmp_path / "run", FIRST, overwrite))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("x")
    before = tree(tmp_path)
    with pytest.raises(InputError, match=r"holds other files by now.*run\.partial"):
        folder.finish()
    assert tree(tmp_path) == before
    shutil.rmtree(tmp_path / "run")
    assert chance(folder.finish()) == 0.1


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_run_that_appeared_during_the_run_is_kept(tmp_path, overwrite):
    if overwrite:
        make_run(tmp_path / "run", 0.2)
    folder = fill(OutputFolder(tmp_path / "run", FIRST, overwrite), 0.5)
    if overwrite:
        shutil.rmtree(tmp_path / "run")
    make_run(tmp_path / "elsewhere", 0.3).rename(tmp_path / "run")
    with pytest.raises(InputError, match=r"holds a finished run by now.*run\.partial"):
        folder.finish()
    assert chance(tmp_path / "run") == 0.3
    assert chance(folder.partial) == 0.5


def test_a_file_that_appeared_in_an_empty_folder_is_kept(tmp_path):
    (tmp_path / "run").mkdir()
    folder = fill(OutputFolder(tmp_path / "run", FIRST))
    (tmp_path / "run" / "thesis.tex").write_text("x")
    with pytest.raises(InputError, match=rf"holds other files by now.*{INSIDE}"):
        folder.finish()
    assert not (tmp_path / "run" / FINISHED).exists()
    assert chance(folder.partial) == 0.1


def test_an_empty_folder_that_appeared_is_filled(tmp_path):
    folder = fill(OutputFolder(tmp_path / "run", FIRST))
    (tmp_path / "run").mkdir()
    assert sorted(os.listdir(folder.finish())) == RUN_FILES


# Places that must stay the same folder ----------------------------------------------------------


def test_an_empty_folder_stays_the_same_one(tmp_path):
    (tmp_path / "run").mkdir()
    identity = (tmp_path / "run").stat().st_ino
    place = make_run(tmp_path / "run")
    assert place.stat().st_ino == identity
    assert sorted(os.listdir(place)) == RUN_FILES
    assert os.listdir(tmp_path) == ["run"]


def test_a_link_is_followed(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "disk")
    assert make_run(tmp_path / "run") == tmp_path / "disk"
    assert (tmp_path / "run").is_symlink()
    make_run(tmp_path / "run", 0.5, overwrite=True)
    assert chance(tmp_path / "run") == 0.5
    (tmp_path / "nowhere").symlink_to(tmp_path / "later")
    make_run(tmp_path / "nowhere")
    assert chance(tmp_path / "later") == 0.1


def test_the_working_directory_can_be_the_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    identity = tmp_path.stat().st_ino
    make_run(".")
    make_run(".", 0.5, overwrite=True)
    assert sorted(os.listdir(tmp_path)) == RUN_FILES
    assert chance(tmp_path) == 0.5
    assert tmp_path.stat().st_ino == identity


def test_the_working_directory_of_other_files_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "thesis.tex").write_text("x")
    assert "--output_dir" in refuse(".", "'.' holds other files", overwrite=True)
    assert (tmp_path / "thesis.tex").read_text() == "x"
    assert os.listdir(tmp_path) == ["thesis.tex"]


def test_metrics_are_the_last_to_appear_and_the_first_to_go(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_run(".")
    folder = fill(OutputFolder(".", FIRST, overwrite=True))
    seen = []
    rename, unlink = os.rename, Path.unlink

    def watched_rename(source, target):
        rename(source, target)
        seen.append(f"+{Path(target).name}")

    def watched_unlink(path, **options):
        unlink(path, **options)
        seen.append(f"-{path.name}")

    monkeypatch.setattr(os, "rename", watched_rename)
    monkeypatch.setattr(Path, "unlink", watched_unlink)
    folder.finish()
    monkeypatch.undo()
    expected = ["-metrics.json", "-config.json", "+figures", "+metrics.json"]
    assert [change for change in seen if change in expected] == expected


def test_a_move_that_fails_leaves_the_partial_folder_whole(tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    folder = fill(OutputFolder(tmp_path / "run", FIRST))
    before = tree(folder.partial)
    rename = os.rename

    def fails_at_the_last(source, target):
        if source == folder.partial / FINISHED:
            raise OSError(errno.EIO, "Input/output error")
        rename(source, target)

    monkeypatch.setattr(os, "rename", fails_at_the_last)
    with pytest.raises(InputError, match=rf"Input/output error.*files are in .*{INSIDE}"):
        folder.finish()
    monkeypatch.undo()
    assert {k: v for k, v in tree(folder.partial).items() if k != MOVING} == before
    assert os.listdir(tmp_path / "run") == [INSIDE]
    folder.finish()
    assert sorted(os.listdir(tmp_path / "run")) == RUN_FILES


MOUNTED = """
import os, subprocess, sys
sys.path[:0] = [{root!r}, {tests!r}]
place = {place!r}
done = subprocess.run(["mount", "-t", "tmpfs", "none", place])
if done.returncode:
    sys.exit(77)
import test_output_folder as this
this.make_run(place)
assert sorted(os.listdir(place)) == this.RUN_FILES
this.make_run(place, 0.5, overwrite=True)
assert sorted(os.listdir(place)) == this.RUN_FILES
assert this.chance(this.Path(place)) == 0.5
assert os.path.ismount(place)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="mounts in a namespace of its own")
def test_a_mount_point_can_be_the_place(tmp_path):
    (tmp_path / "disk").mkdir()
    names = {"root": str(ROOT), "tests": str(Path(__file__).parent), "place": f"{tmp_path}/disk"}
    command = ["unshare", "--mount", "--map-root-user", sys.executable, "-c"]
    if not shutil.which("unshare") or subprocess.run([*command, ""], check=False).returncode:
        pytest.skip("no namespaces here")
    done = subprocess.run([*command, MOUNTED.format(**names)], capture_output=True, text=True)
    if done.returncode == 77:
        pytest.skip("no mounts here")
    assert done.returncode == 0, done.stderr
    assert os.listdir(tmp_path) == ["disk"]


def test_a_run_that_cannot_be_renamed_is_replaced_where_it_is(tmp_path, monkeypatch):
    place = make_run(tmp_path / "run")
    rename = os.rename

    def busy(source, target):
        if Path(source) == place:
            raise OSError(errno.EBUSY, "Device or resource busy")
        rename(source, target)

    monkeypatch.setattr(os, "rename", busy)
    make_run(place, 0.5, overwrite=True)
    assert chance(place) == 0.5
    assert sorted(os.listdir(place)) == RUN_FILES
    assert os.listdir(tmp_path) == ["run"]


# Places that cannot be written ------------------------------------------------------------------


@pytest.fixture
def open_folder():
    """A folder that anybody may write, with this process as an ordinary user."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield folder
    finally:
        if root:
            os.seteuid(0)
        for path in [folder, *folder.rglob("*")]:
            if path.is_dir():
                path.chmod(0o777)
        shutil.rmtree(folder)


@posix
def test_an_empty_folder_whose_parent_cannot_be_written_can_be_the_place(open_folder):
    (open_folder / "parent" / "run").mkdir(parents=True)
    (open_folder / "parent").chmod(0o555)
    place = make_run(open_folder / "parent" / "run")
    make_run(place, 0.5, overwrite=True)
    assert chance(place) == 0.5
    assert sorted(os.listdir(place)) == RUN_FILES


@posix
@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(("mode", "place"), [(0o555, "run"), (0o000, "run"), (0o000, "run/below")])
def test_a_parent_without_permission_is_said(open_folder, mode, place, overwrite):
    (open_folder / "parent").mkdir()
    (open_folder / "parent").chmod(mode)
    said = refuse(open_folder / "parent" / place, "Permission denied", overwrite=overwrite)
    assert str(open_folder / "parent") in said
    (open_folder / "parent").chmod(0o777)
    assert os.listdir(open_folder / "parent") == []


@posix
def test_a_parent_that_became_closed_is_said_at_the_end(open_folder):
    (open_folder / "parent").mkdir()
    folder = fill(OutputFolder(open_folder / "parent" / "run", FIRST))
    (open_folder / "parent").chmod(0o555)
    with pytest.raises(InputError, match=r"Permission denied.*run\.partial"):
        folder.finish()
    assert chance(folder.partial) == 0.1


IMPOSSIBLE = [
    "n" * 250,
    "n" * 300,
    "nul\0byte",
    "file/below/run",
    "/",
    "caf\udce9",
    "caf\udce9/run",
]


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_an_impossible_place_is_said(tmp_path, name, overwrite):
    (tmp_path / "file").write_text("x")
    refuse(os.path.join(tmp_path, name), "cannot be written|holds other", overwrite=overwrite)
    assert os.listdir(tmp_path) == ["file"]


def test_a_link_to_itself_is_refused(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert "loop" in refuse(tmp_path / "loop", "cannot be written|is a file")
    assert os.listdir(tmp_path) == ["loop"]


def test_an_interrupted_run_leaves_what_is_to_be_kept_to_the_next_of_the_same_settings(tmp_path):
    first = fill(OutputFolder(tmp_path / "run", FIRST, keep=["cells"]))
    (first.partial / "cells").mkdir()
    (first.partial / "cells" / "iiw.json").write_text("{}")
    first.release()
    deeper = {**FIRST, "extractors": {"a": "resnet20"}}
    refuse(tmp_path / "run", r"\(extractors.a is 'resnet8' there, 'resnet20' here\)", deeper)
    refuse(tmp_path / "run", r"\(new is 'not set' there, None here\)", {**FIRST, "new": None})
    again = OutputFolder(tmp_path / "run", FIRST, keep=["cells"])
    assert tree(again.partial).keys() == {CONFIG, LOCK, "cells/iiw.json"}
    again.release()
    other = OutputFolder(tmp_path / "run", OTHER, overwrite=True, keep=["cells"])
    assert tree(other.partial).keys() == {CONFIG, LOCK}


# Runs at the same time, and runs that were killed -----------------------------------------------

CHILD = """
import os, sys, time
sys.path[:0] = [{root!r}, {tests!r}]
import test_output_folder as this
folder = this.OutputFolder({place!r}, this.FIRST, {overwrite!r})
(folder.partial / "logs").mkdir()
{then}
print("ready", flush=True)
time.sleep(60)
"""
WHOLE = "(folder.partial / 'logs').rmdir(); this.fill(folder)"
# Stops in the middle of the move: what is renamed after this is never reached.
HALF = f"""{WHOLE}
rename = os.rename
def stop(source, target):
    if str(source).endswith("metrics.json"):
        print("ready", flush=True)
        time.sleep(60)
    rename(source, target)
os.rename = stop
folder.finish()
"""


@pytest.fixture
def child():
    started = []

    def start(place, then="", overwrite=False):
        code = CHILD.format(
            root=str(ROOT),
            tests=str(Path(__file__).parent),
            place=str(place),
            then=then,
            overwrite=overwrite,
        )
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()


@posix
@pytest.mark.parametrize("exists", [False, True])
@pytest.mark.parametrize("then", ["", WHOLE])
def test_a_killed_run_looks_unfinished_and_the_next_one_starts(tmp_path, child, then, exists):
    place = tmp_path / "run"
    if exists:
        place.mkdir()
    running = child(place, then)
    for overwrite in (False, True):
        refuse(place, f"is being written by process {running.pid}", overwrite=overwrite)
    assert not (place / FINISHED).exists()
    kill(running)
    assert not (place / FINISHED).exists()
    assert place.exists() == exists
    make_run(place)
    assert sorted(os.listdir(place)) == RUN_FILES
    assert os.listdir(tmp_path) == ["run"]


@posix
def test_a_run_killed_while_its_files_move_looks_unfinished_and_the_next_one_starts(
    tmp_path, child
):
    place = tmp_path / "run"
    place.mkdir()
    kill(child(place, HALF))
    assert sorted(os.listdir(place)) == [CONFIG, "figures", INSIDE]
    refuse(place, "another configuration", OTHER)
    make_run(place, 0.5)
    assert chance(place) == 0.5
    assert sorted(os.listdir(place)) == RUN_FILES


@posix
def test_what_a_user_put_beside_half_moved_files_is_kept(tmp_path, child):
    place = tmp_path / "run"
    place.mkdir()
    kill(child(place, HALF))
    (place / "thesis.tex").write_text("x")
    refuse(place, "holds other files", overwrite=True)
    assert (place / "thesis.tex").read_text() == "x"


def test_a_list_of_half_moved_files_reaches_no_other_folder(tmp_path):
    inside = tmp_path / "run" / INSIDE
    inside.mkdir(parents=True)
    (tmp_path / "thesis.tex").write_text("x")
    (inside / LOCK).write_text("")
    (inside / MOVING).write_text('["../thesis.tex", "..", ""]')
    make_run(tmp_path / "run")
    assert (tmp_path / "thesis.tex").read_text() == "x"


def test_a_run_killed_before_its_settings_were_written_is_no_obstacle(tmp_path):
    for number, content in enumerate(({}, {LOCK: ""}, {LOCK: "1", CONFIG: '{"se'})):
        partial = tmp_path / f"{number}.partial"
        partial.mkdir()
        for name, text in content.items():
            (partial / name).write_text(text)
        assert sorted(os.listdir(make_run(tmp_path / str(number)))) == RUN_FILES


@posix
def test_two_runs_of_one_process_are_told_apart(tmp_path):
    first = fill(OutputFolder(tmp_path / "run", FIRST))
    before = tree(first.partial)
    refuse(tmp_path / "run", f"is being written by process {os.getpid()}")
    assert tree(first.partial) == before
    first.release()
    second = fill(OutputFolder(tmp_path / "run", FIRST), 0.5)
    assert chance(second.finish()) == 0.5


@posix
def test_a_run_inside_the_place_is_safe_from_one_beside_it(tmp_path, monkeypatch):
    place = make_run(tmp_path / "run")
    beside = fill(OutputFolder(place, FIRST, overwrite=True), 0.2)
    monkeypatch.chdir(place)
    inside = fill(OutputFolder(".", FIRST, overwrite=True), 0.3)
    monkeypatch.chdir(tmp_path)
    assert (beside.partial, inside.partial) == (tmp_path / "run.partial", place / INSIDE)
    refuse(place, "is being written by", overwrite=True)
    with pytest.raises(InputError, match="holds an unfinished run by now"):
        beside.finish()
    inside.finish()
    assert chance(place) == 0.3
    with pytest.raises(InputError, match="holds a finished run by now"):
        beside.finish()
