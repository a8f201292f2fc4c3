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
from keras_compat.experiments.runner import run_folder
from keras_compat.experiments.runner.run_folder import INSIDE, RunFolder
from keras_compat.experiments.runner.run_lock import RunLock
from keras_compat.reporting import write_metrics
from keras_compat.reporting.finished import CONFIG, FINISHED, LOCK

ROOT = Path(__file__).parents[2]
FIRST = {"seed": 0, "extractors": {"a": "resnet8"}, "maintain": ("extractor",)}
OTHER = {**FIRST, "seed": 1}

posix = pytest.mark.skipif(os.name != "posix", reason="modes, locks and mounts are POSIX")


def fill(folder, chance=0.1):
    (folder.partial / "figures").mkdir()
    (folder.partial / "figures" / "a.png").write_text("figure")
    write_metrics(
        folder.metrics,
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
    return fill(RunFolder(path, FIRST, **options), chance).finish()


def chance(path):
    return json.loads((path / FINISHED).read_text())["results"][0]["value"]


def tree(path):
    """Every file below a folder, with its content."""
    return {
        str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()
    }


def left_by_the_release_before(partial, config=FIRST, **files):
    """Writes what an interrupted run of the release before left, and returns its folder."""
    content = {LOCK: "123", CONFIG: json.dumps(config), "steps/a.json": "[]", FINISHED: "{}"}
    for name, text in {**content, **files}.items():
        (partial / name).parent.mkdir(parents=True, exist_ok=True)
        (partial / name).write_text(text)
    return partial


def refuse(path, message, config=FIRST, overwrite=False):
    """Returns what is said when a folder is refused, which is one line."""
    with pytest.raises(InputError, match=message) as caught:
        RunFolder(path, config, overwrite)
    assert "\n" not in str(caught.value)
    return str(caught.value)


RUN_FILES = [CONFIG, "figures", FINISHED]


def test_a_run_is_written_in_its_place_and_its_metrics_appear_last(tmp_path):
    place = tmp_path / "a" / "run"
    folder = RunFolder(place, FIRST)
    assert folder.partial == place
    assert json.loads((place / CONFIG).read_text())["seed"] == 0
    fill(folder)
    assert not (place / FINISHED).exists()
    assert folder.finish() == place
    assert sorted(os.listdir(place)) == RUN_FILES
    assert os.listdir(place.parent) == ["run"]


def test_a_finished_run_is_replaced_only_on_request_and_only_at_the_end(tmp_path):
    place = make_run(tmp_path / "run")
    (place / "export").mkdir()
    before = tree(place)
    refuse(place, "holds a finished run.*--overwrite")
    folder = RunFolder(place, OTHER, overwrite=True)
    assert folder.partial == place / INSIDE
    fill(folder, 0.5)
    assert {name: tree(place)[name] for name in before} == before
    folder.finish()
    assert chance(place) == 0.5
    assert json.loads((place / CONFIG).read_text())["seed"] == 1
    # Files of the first run that the second has not are gone.
    assert sorted(os.listdir(place)) == RUN_FILES
    assert os.listdir(tmp_path) == ["run"]


def test_an_unfinished_run_of_the_same_settings_is_begun_again(tmp_path):
    (RunFolder(tmp_path / "run", FIRST).partial / "report.md").write_text("over")
    again = RunFolder(tmp_path / "run", FIRST)
    assert not (again.partial / "report.md").exists()


def test_an_unfinished_run_of_other_settings_is_replaced_only_on_request(tmp_path):
    partial = RunFolder(tmp_path / "run", FIRST).partial
    (partial / "report.md").write_text("over")
    before = tree(partial)
    refuse(tmp_path / "run", r"another configuration \(seed is 0 there, 1 here\)", OTHER)
    assert tree(partial) == before
    folder = RunFolder(tmp_path / "run", OTHER, overwrite=True)
    assert json.loads((folder.partial / CONFIG).read_text())["seed"] == 1
    assert not (partial / "report.md").exists()


# What is not a run ------------------------------------------------------------------------------


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    "files",
    [
        {"thesis.tex": "x"},
        {FINISHED: "{}", CONFIG: "{}", "thesis.tex": "x"},
        {FINISHED: "loss: 1", "thesis.tex": "x"},
        {FINISHED: "{}", "figures/a.png": "figure"},
        {f"{INSIDE}/thesis.tex": "x"},
        {f"{INSIDE}/{LOCK}": "", "thesis.tex": "x"},
        {CONFIG: json.dumps(FIRST), FINISHED: "of a later release"},
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


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_plain_file_is_never_touched(tmp_path, overwrite):
    (tmp_path / "f").write_text("mine")
    refuse(tmp_path / "f", "is a file", overwrite=overwrite)
    assert tree(tmp_path) == {"f": b"mine"}


@pytest.mark.parametrize("name", ["thesis.tex", CONFIG])
def test_a_foreign_folder_beside_or_inside_the_place_is_never_touched(tmp_path, name):
    place = make_run(tmp_path / "x")
    for folder in (tmp_path / "x.partial", place / INSIDE):
        folder.mkdir()
        (folder / name).write_text('{"name": "somebody else\'s"}')
    before = tree(tmp_path)
    refuse(place, f"holds other files in {INSIDE}", overwrite=True)
    assert tree(tmp_path) == before
    shutil.rmtree(place)
    make_run(place)
    assert os.listdir(tmp_path / "x.partial") == [name]


def test_files_that_a_user_put_into_a_run_stay(tmp_path):
    folder = RunFolder(tmp_path / "run", FIRST)
    (folder.partial / "thesis.tex").write_text("x")
    folder.release()
    make_run(tmp_path / "run")
    make_run(tmp_path / "run", overwrite=True)
    assert (tmp_path / "run" / "thesis.tex").read_text() == "x"
    RunFolder(tmp_path / "other", FIRST).release()
    (tmp_path / "other" / "thesis.tex").write_text("x")
    RunFolder(tmp_path / "other", OTHER, overwrite=True).withdraw()
    assert os.listdir(tmp_path / "other") == ["thesis.tex"]


# The place at the end ---------------------------------------------------------------------------


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_run_that_appeared_during_the_run_is_kept(tmp_path, overwrite):
    if overwrite:
        make_run(tmp_path / "run", 0.2)
    folder = fill(RunFolder(tmp_path / "run", FIRST, overwrite), 0.5)
    shutil.rmtree(tmp_path / "run")
    make_run(tmp_path / "elsewhere", 0.3).rename(tmp_path / "run")
    before = tree(tmp_path)
    with pytest.raises(InputError, match="is not the folder any more.*--output_dir"):
        folder.finish()
    assert tree(tmp_path) == before


def test_metrics_that_appeared_during_the_run_are_kept_and_so_is_the_run(tmp_path):
    folder = fill(RunFolder(tmp_path / "run", FIRST), 0.5)
    (folder.path / FINISHED).write_text("{}")
    before = tree(tmp_path)
    with pytest.raises(InputError, match="holds a finished run by now; .* its files are in"):
        folder.finish()
    assert tree(tmp_path) == before
    (folder.path / FINISHED).unlink()
    assert chance(folder.finish()) == 0.5


@pytest.mark.parametrize("kept", [(), ("steps",)])
def test_a_run_that_failed_leaves_what_is_of_use(tmp_path, kept):
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "empty", tmp_path / "a" / "run"):
        folder = RunFolder(place, FIRST, kept=["steps"])
        for name in kept:
            (folder.partial / name).mkdir()
        folder.withdraw()
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    assert found >= {"a/run/steps", "empty/steps"} if kept else found == {"empty"}


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
    make_run(tmp_path)
    folder = fill(RunFolder(tmp_path, FIRST, overwrite=True))
    seen = []
    rename, unlink = os.rename, Path.unlink

    def watched_rename(source, target):
        rename(source, target)
        seen.append(f"+{Path(target).relative_to(tmp_path)}")

    def watched_unlink(path, **options):
        unlink(path, **options)
        seen.append(f"-{path.name}")

    monkeypatch.setattr(os, "rename", watched_rename)
    monkeypatch.setattr(Path, "unlink", watched_unlink)
    folder.finish()
    monkeypatch.undo()
    complete = f"+{INSIDE}/{FINISHED}"
    expected = [complete, "-metrics.json", "+figures", "+metrics.json"]
    assert [change for change in seen if change in expected] == expected


def test_a_move_that_fails_is_gone_on_with(tmp_path, monkeypatch):
    place = make_run(tmp_path / "run")
    folder = fill(RunFolder(place, OTHER, overwrite=True), 0.5)
    (folder.partial / "steps").mkdir()
    rename = os.rename

    def fails_at_the_last(source, target):
        if source == folder.partial / FINISHED:
            raise OSError(errno.EIO, "Input/output error")
        rename(source, target)

    monkeypatch.setattr(os, "rename", fails_at_the_last)
    with pytest.raises(InputError, match=rf"Input/output error.*files are in .*{INSIDE}"):
        folder.finish()
    monkeypatch.undo()
    assert not (place / FINISHED).exists()
    folder.finish()
    assert chance(place) == 0.5
    assert sorted(os.listdir(place)) == [*RUN_FILES, "steps"]


MOUNTED = """
import os, subprocess, sys
sys.path[:0] = [{root!r}, {tests!r}]
place = {place!r}
done = subprocess.run(["mount", "-t", "tmpfs", "none", place])
if done.returncode:
    sys.exit(77)
import test_run_folder as this
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
def test_a_place_that_became_closed_is_said_at_the_end(open_folder):
    folder = fill(RunFolder(open_folder / "run", FIRST))
    (open_folder / "run").chmod(0o555)
    with pytest.raises(InputError, match=r"Permission denied.*its files are in"):
        folder.finish()
    (open_folder / "run").chmod(0o777)
    assert chance(folder.finish()) == 0.1


IMPOSSIBLE = [
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
    first = fill(RunFolder(tmp_path / "run", FIRST, kept=["cells"]))
    (first.partial / "cells").mkdir()
    (first.partial / "cells" / "iiw.json").write_text("{}")
    first.release()
    deeper = {**FIRST, "extractors": {"a": "resnet20"}}
    refuse(tmp_path / "run", r"\(extractors.a is 'resnet8' there, 'resnet20' here\)", deeper)
    refuse(tmp_path / "run", r"\(new is 'not set' there, None here\)", {**FIRST, "new": None})
    again = RunFolder(tmp_path / "run", FIRST, kept=["cells"])
    assert tree(again.partial).keys() == {CONFIG, LOCK, "cells/iiw.json"}
    again.release()
    anew = RunFolder(tmp_path / "run", FIRST, kept=["cells"], resume=False)
    assert tree(anew.partial).keys() == {CONFIG, LOCK}
    (anew.partial / "cells").mkdir()
    anew.release()
    other = RunFolder(tmp_path / "run", OTHER, overwrite=True, kept=["cells"])
    assert tree(other.partial).keys() == {CONFIG, LOCK}


def test_an_interrupted_run_that_was_to_replace_another_goes_on(tmp_path):
    place = make_run(tmp_path / "run")
    first = RunFolder(place, OTHER, overwrite=True, kept=["steps"])
    (first.partial / "steps").mkdir()
    first.release()
    again = RunFolder(place, OTHER, overwrite=True, kept=["steps"])
    assert (again.partial, os.listdir(again.partial / "steps")) == (place / INSIDE, [])
    assert chance(place) == 0.1


# Runs of the release before ---------------------------------------------------------------------


@pytest.mark.parametrize("exists", [False, True])
@pytest.mark.parametrize("where", ["run.partial", f"run/{INSIDE}"])
def test_an_interrupted_run_of_the_release_before_goes_on_in_its_place(
    tmp_path, where, exists, capsys
):
    place = tmp_path / "run"
    if exists:
        place.mkdir()
    left = left_by_the_release_before(tmp_path / where)
    before = tree(tmp_path)
    refuse(place, r"another configuration \(seed is 0 there, 1 here\)", OTHER)
    assert tree(tmp_path) == before
    folder = RunFolder(place, FIRST, kept=["steps"])
    assert capsys.readouterr().out == f"going on with the unfinished run in {left}\n"
    assert folder.partial == place
    assert tree(tmp_path).keys() == {f"run/{name}" for name in (CONFIG, LOCK, "steps/a.json")}
    assert sorted(os.listdir(fill(folder).finish())) == [*RUN_FILES, "steps"]


@pytest.mark.parametrize("where", ["run.partial", f"run/{INSIDE}"])
def test_so_does_one_that_was_to_replace_another(tmp_path, where):
    place = make_run(tmp_path / "run")
    left_by_the_release_before(tmp_path / where, OTHER)
    refuse(place, "holds a finished run")
    folder = RunFolder(place, OTHER, overwrite=True, kept=["steps"])
    assert (folder.partial, chance(place)) == (place / INSIDE, 0.1)
    assert (folder.partial / "steps" / "a.json").exists()
    assert not (tmp_path / "run.partial").exists()
    assert chance(fill(folder, 0.5).finish()) == 0.5


def test_a_run_of_the_release_before_is_replaced_on_request(tmp_path):
    left_by_the_release_before(tmp_path / "run.partial")
    folder = RunFolder(tmp_path / "run", OTHER, overwrite=True, kept=["steps"])
    assert tree(tmp_path).keys() == {f"run/{name}" for name in (CONFIG, LOCK)}
    assert json.loads((folder.partial / CONFIG).read_text())["seed"] == 1


def test_one_whose_files_were_being_moved_up_goes_on(tmp_path):
    """Of the release before: the settings are in both folders, and other files in one of them."""
    place = tmp_path / "run"
    left_by_the_release_before(place / INSIDE, **{".keras_compat.moving": '["../thesis.tex"]'})
    (tmp_path / "thesis.tex").write_text("x")
    (place / CONFIG).write_text(json.dumps(FIRST))
    (place / "report.md").write_text("moved")
    folder = RunFolder(place, FIRST, kept=["steps"])
    assert (folder.partial / "steps" / "a.json").exists()
    assert (tmp_path / "thesis.tex").read_text() == "x"
    assert not (place / INSIDE).exists() and not (place / "report.md").exists()


# Runs at the same time, and runs that were killed -----------------------------------------------

CHILD = """
import os, sys, time
sys.path[:0] = [{root!r}, {tests!r}]
import test_run_folder as this
folder = this.RunFolder({place!r}, this.FIRST, {overwrite!r})
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
    make_run(place)
    assert sorted(os.listdir(place)) == RUN_FILES
    assert os.listdir(tmp_path) == ["run"]


@posix
def test_a_run_killed_while_it_replaces_another_leaves_that_one(tmp_path, child):
    place = make_run(tmp_path / "run", 0.2)
    before = tree(place)
    running = child(place, WHOLE, overwrite=True)
    refuse(place, f"{INSIDE}' is being written by process {running.pid}", overwrite=True)
    kill(running)
    assert {name: tree(place)[name] for name in before} == before
    make_run(place, 0.5, overwrite=True)
    assert chance(place) == 0.5
    assert sorted(os.listdir(place)) == RUN_FILES


@posix
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_run_killed_while_its_files_move_looks_unfinished_and_goes_on(tmp_path, child, overwrite):
    place = make_run(tmp_path / "run")
    (place / "thesis.tex").write_text("x")
    kill(child(place, HALF, overwrite=True))
    assert sorted(os.listdir(place)) == [CONFIG, "figures", INSIDE, "thesis.tex"]
    refuse(place, "another configuration", OTHER)
    make_run(place, 0.5, overwrite=overwrite)
    assert chance(place) == 0.5
    assert sorted(os.listdir(place)) == [*RUN_FILES, "thesis.tex"]


@pytest.mark.parametrize("where", ["run", "run.partial"])
def test_a_run_killed_before_its_settings_were_written_is_no_obstacle(tmp_path, where):
    torn = ".config.json.12345678.partial"
    for number, content in enumerate(
        ({}, {LOCK: ""}, {LOCK: "1", torn: "{"}, {LOCK: "1", CONFIG: '{"se'})
    ):
        folder = tmp_path / str(number)
        (folder / where).mkdir(parents=True)
        for name, text in content.items():
            (folder / where / name).write_text(text)
        assert sorted(os.listdir(make_run(folder / "run"))) == RUN_FILES


@posix
def test_two_runs_of_one_process_are_told_apart(tmp_path):
    first = fill(RunFolder(tmp_path / "run", FIRST))
    before = tree(first.partial)
    refuse(tmp_path / "run", f"is being written by process {os.getpid()}")
    assert tree(first.partial) == before
    first.release()
    second = fill(RunFolder(tmp_path / "run", FIRST), 0.5)
    assert chance(second.finish()) == 0.5


@posix
def test_a_live_run_of_the_release_before_is_not_disturbed(tmp_path):
    left = left_by_the_release_before(tmp_path / "run.partial")
    lock = RunLock(left / LOCK)
    before = tree(tmp_path)
    for overwrite in (False, True):
        refuse(tmp_path / "run", "run.partial' is being written by", overwrite=overwrite)
    assert tree(tmp_path) == before
    lock.release()
    make_run(tmp_path / "run")


@posix
def test_a_run_that_finished_between_the_look_and_the_lock_is_kept(tmp_path, monkeypatch):
    other = fill(RunFolder(tmp_path / "run", FIRST), 0.3)

    def locks_once_the_other_has_finished(path):
        other.finish()
        return RunLock(path)

    monkeypatch.setattr(run_folder, "RunLock", locks_once_the_other_has_finished)
    refuse(tmp_path / "run", "holds a finished run")
    assert chance(tmp_path / "run") == 0.3
    assert sorted(os.listdir(tmp_path / "run")) == RUN_FILES
