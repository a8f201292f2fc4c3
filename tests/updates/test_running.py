"""A head runs under limits each time: one that breaks them gives way, and no other does."""

import json
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from keras_compat.updates import device_client
from keras_compat.updates.device_client import Classifier, UpdateError
from tests.attacks.npy import bad_files, header, npy
from tests.helpers import python
from tests.updates import made

pytestmark = pytest.mark.once
GREY = np.full(made.IMAGE, 200, "uint8")


def state(device):
    found = json.loads((device / "state.json").read_text())
    return found["current"], found["previous"], found["highest"]


@pytest.mark.parametrize(
    ("how", "message"), [("endless", "more than 0.2 s of work"), ("no number", "are not finite")]
)
def test_a_head_that_fails_at_an_image_gives_way_for_good(place, tmp_path, how, message, caplog):
    device, _ = place
    bad = made.update(tmp_path / "2.zip", 2, made.head_that_fails_at(200, how))
    device_client.apply(device, bad)
    with Classifier(device, seconds=0.2) as classifier:
        assert classifier.classify(made.LIGHT)[0] == "frog" and not caplog.records
        assert classifier.classify(GREY)[0] == "dog"
        (line,) = [record.getMessage() for record in caplog.records]
        assert line.startswith("head 2 is given up: ") and line.endswith("head 1 is used")
        assert message in line
        assert classifier.classify(made.LIGHT)[0] == "dog" and classifier.update["number"] == 1
    assert state(device) == (1, 2, 2) and device_client.status(device)[1]["number"] == 1
    with pytest.raises(UpdateError, match="this device has had 2"):
        device_client.apply(device, bad)
    device_client.apply(device, made.update(tmp_path / "3.zip", 3))
    assert Classifier(device).classify(GREY)[0] == "cat"
    assert sorted(path.name for path in (device / "heads").iterdir()) == ["1", "3"]


def test_the_only_head_that_fails_is_told_in_a_line(tmp_path, capsys):
    device = made.device(tmp_path / "device")
    device_client.apply(
        device, made.update(tmp_path / "1.zip", 1, made.head_that_fails_at(200, "no number"))
    )
    np.save(tmp_path / "x.npy", np.stack([made.LIGHT, GREY]))
    assert device_client.main(["classify", str(device), str(tmp_path / "x.npy")]) == 2
    told = capsys.readouterr()
    assert told.out.startswith("frog ") and told.out.count("\n") == 1
    assert told.err == ("error: head 1 is given up: the head answers numbers that are not finite\n")
    assert state(device) == (1, 0, 1)


@pytest.mark.parametrize("grey", [0, 255])
def test_a_head_that_fails_at_the_darkest_or_lightest_image_is_refused(place, tmp_path, grey):
    device, _ = place
    bad = made.update(tmp_path / "2.zip", 2, made.head_that_fails_at(grey, "no number"))
    with pytest.raises(UpdateError, match="not finite"):
        device_client.apply(device, bad)


def test_trials_differ_and_cover_what_is_between():
    trials = [list(device_client._trial_images(64)) for _ in range(2)]
    assert {len(image) for trial in trials for image in trial} == {64}
    assert trials[0][:2] == trials[1][:2] == [bytes(64), b"\xff" * 64]
    assert not set(trials[0][2:]) & set(trials[1][2:])


def test_a_process_that_the_system_ends_is_started_again(place):
    device, archive = place
    device_client.apply(device, archive)
    classifier = Classifier(device)
    for number in (signal.SIGKILL, signal.SIGSEGV):
        os.kill(classifier._worker._process.pid, number)
        classifier._worker._process.wait()
        assert classifier.classify(made.LIGHT)[0] == "frog"
    assert state(device) == (2, 1, 2)


@pytest.mark.parametrize("how", ["ended", "stopped"])
def test_one_that_is_ended_or_stopped_at_work_is_given_a_second_chance(place, monkeypatch, how):
    device, archive = place
    device_client.apply(device, archive)
    ask, hit = device_client._Worker._ask, []

    def disturbed(worker, content, seconds, kind):
        if how == "ended" and kind is device_client._HeadError and not content and not hit:
            hit.append(worker)
            raise device_client._Killed("its process ended with -9")
        if how == "stopped" and content == made.LIGHT.tobytes() and not hit:
            hit.append(worker)
            os.kill(worker._process.pid, signal.SIGSTOP)
            seconds = 0.3
        return ask(worker, content, seconds, kind)

    monkeypatch.setattr(device_client._Worker, "_ask", disturbed)
    assert Classifier(device).classify(made.LIGHT)[0] == "frog"
    assert hit and (how == "ended" or hit[0].has_ended()) and state(device) == (2, 1, 2)


def test_time_in_which_the_device_stands_still_does_not_count(place):
    program = f"""
import os, signal, subprocess
from device_client import Classifier, _HeadError
with Classifier({str(place[0])!r}) as classifier:
    worker = classifier._worker
    os.kill(worker._process.pid, signal.SIGSTOP)
    subprocess.Popen(["sh", "-c", f"sleep 0.5; kill -STOP {{os.getpid()}}; sleep 5; "
                      f"kill -CONT {{os.getpid()}}; kill -CONT {{worker._process.pid}}"])
    worker._ask({made.LIGHT.tobytes()!r}, 4, _HeadError)
"""
    done = python("-c", program, PYTHONPATH=os.path.dirname(device_client.__file__))
    assert done.returncode == 0, done.stderr


def test_threads_share_one_process_and_a_fork_has_its_own(place):
    device, _ = place
    with Classifier(device) as classifier:
        expected = [classifier.scores(image) for image in (made.LIGHT, made.DARK)]
        wrong = []

        def work():
            for _ in range(20):
                for image, scores in zip((made.LIGHT, made.DARK), expected, strict=True):
                    if (classifier.scores(image) != scores).any():
                        wrong.append(image)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong
        worker, child = classifier._worker, os.fork()
        if child == 0:
            os._exit(0 if (classifier.scores(made.DARK) == expected[1]).all() else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert classifier._worker is worker and not worker.has_ended()
        assert (classifier.scores(made.LIGHT) == expected[0]).all()


def test_a_classifier_that_is_freed_leaves_no_process(place):
    process = Classifier(place[0])._worker._process
    assert process.wait(10) == -signal.SIGKILL
    classifier = Classifier(place[0])
    classifier.close()
    assert classifier._worker.has_ended()


def client(*arguments, **limits):
    """Runs the client under hard limits."""

    def limit():
        for name, value in limits.items():
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))

    command = [sys.executable, device_client.__file__, *map(str, arguments)]
    done = subprocess.run(
        command, preexec_fn=limit, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout, done.stderr


resource = device_client.resource
limited = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of Linux")


@limited
@pytest.mark.parametrize("size", [2**34, 2**30])
def test_a_hard_limit_is_not_raised(place, size):
    assert client("apply", *place, AS=size)[0] == 0
    assert Classifier(place[0]).classify(made.LIGHT)[0] == "frog"


@limited
@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"AS": 100 * 2**20}, "a process may have 100 MiB of address space here: allow more"),
        ({"NOFILE": 8}, "Too many open files"),
    ],
)
def test_too_small_a_limit_is_told_and_no_head_is_blamed(place, tmp_path, limits, message):
    device, archive = place
    np.save(tmp_path / "x.npy", made.LIGHT)
    for command in (("apply", device, archive), ("classify", device, tmp_path / "x.npy")):
        code, said, told = client(*command, **limits)
        assert (code, said, told.count("\n")) == (2, "", 1) and message in told
    assert state(device) == (1, 0, 1) and os.listdir(device / "heads") == ["1"]


@pytest.mark.parametrize(
    "numbers",
    [
        (1, 2, 3),
        (20261129, 20261201),
        (202611291305, 202612010000),
        (20261129130559, 20261201000000),
        (1_700_000_000, 1_700_604_800),
        (7, 20261129, 202611291305),
        (10**14, 10**14 + 1, 10**14 + 10**13),
    ],
)
def test_numbers_that_count_or_tell_the_time_are_taken(numbers):
    highest = 0
    for number in numbers:
        device_client._check_number(number, {"highest": highest}, None)
        with pytest.raises(UpdateError, match="expected a higher one"):
            device_client._check_number(highest, {"highest": number}, None)
        highest = number


@pytest.mark.parametrize("number", [10**14 + 1, 2**52, 2**53 - 1, 2**53])
def test_a_number_that_none_could_follow_is_refused(place, tmp_path, number):
    device, archive = place
    with pytest.raises(UpdateError, match="expected 100000000000000 at most"):
        device_client.apply(device, made.update(tmp_path / "far.zip", number))
    device_client.apply(device, archive)


def test_a_device_that_had_such_a_number_rolls_back_from_it(place, tmp_path):
    device, archive = place
    far = 2**53
    device_client.apply(device, archive)
    (device / "heads" / "2").rename(device / "heads" / str(far))
    (device / "state.json").write_text(
        json.dumps({"schema_version": 1, "current": far, "previous": 1, "highest": far})
    )
    with pytest.raises(UpdateError, match="roll back to take lower ones"):
        device_client.apply(device, archive)
    assert device_client.rollback(device) == 1
    device_client.apply(device, archive)
    assert state(device) == (2, 1, 2)


IMAGE_BYTES = made.LIGHT.tobytes()
NO_IMAGES = {
    **bad_files((1, 4, 4, 1), IMAGE_BYTES),
    "floats": npy(header((1, 4, 4, 1), "'<f4'"), IMAGE_BYTES * 4),
    "images of another size": npy(header((1, 8, 8, 1)), IMAGE_BYTES * 4),
    "a zip archive": b"PK\3\4" + bytes(100),
    "a pickle": b"\x80\x04.",
}


@pytest.mark.parametrize("name", NO_IMAGES)
def test_what_holds_no_images_is_refused_before_anything_runs(
    place, tmp_path, name, capsys, monkeypatch
):
    monkeypatch.setattr(device_client, "Classifier", None)
    (tmp_path / "x.npy").write_bytes(NO_IMAGES[name])
    assert device_client.main(["classify", str(place[0]), str(tmp_path / "x.npy")]) == 2
    told = capsys.readouterr()
    assert told.out == "" and told.err.startswith("error: ") and len(told.err) < 400
    assert told.err.removesuffix("\n").isprintable()


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_pipes_folders_and_devices_are_refused_at_once(place, tmp_path, make, capsys):
    make(tmp_path / "x.npy")
    assert device_client.main(["classify", str(place[0]), str(tmp_path / "x.npy")]) == 2
    assert "is no file; expected a .npy file of images" in capsys.readouterr().err


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_all_that_numpy_writes_of_images_is_read(tmp_path, version, order):
    for shape in ((4, 6, 2), (1, 4, 6, 2), (3, 4, 6, 2), (0, 4, 6, 2)):
        images = np.random.default_rng(0).integers(0, 256, shape, "uint8").copy(order)
        with open(tmp_path / "x.npy", "wb") as file:
            np.lib.format.write_array(file, images, version)
        found = list(device_client._images(tmp_path / "x.npy", (4, 6, 2)))
        assert found == [image.tobytes() for image in images.reshape(-1, 4, 6, 2)]


def test_names_of_classes_are_shown_and_do_nothing_else(tmp_path):
    names = ("c\u200fat", "\u732b\u00a0\ufeff", "dog\u061c")
    device = made.device(tmp_path / "device")
    device_client.apply(device, made.update(tmp_path / "1.zip", 1, class_names=names))
    np.save(tmp_path / "x.npy", np.stack([made.LIGHT, made.DARK]))
    for encoding in ("utf-8", "ascii"):
        arguments = (device_client.__file__, "classify", device, tmp_path / "x.npy")
        done = python(*arguments, PYTHONIOENCODING=encoding)
        first, second = done.stdout.splitlines()
        assert first.isprintable() and second.isprintable() and not done.stderr
        assert second.startswith("dog\\u061c "), second
