"""The client on a device: it needs little, swaps whole heads, and goes on after any failure."""

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from keras_compat.deployment.litert import QUANTIZATIONS
from keras_compat.errors import InputError
from keras_compat.store.package import sha256
from keras_compat.updates import device_client
from keras_compat.updates.device_client import Classifier, UpdateError
from tests.attacks.archives import contents
from tests.attacks.update_harness import python_that
from tests.helpers import python
from tests.updates import interrupted, made

pytestmark = pytest.mark.once
CLIENT = Path(device_client.__file__)
KEPT = ("head.tflite", "installed.json", "update.json")
STATE = ("current", "previous", "highest")
BLOCKED = ("keras", "tensorflow", "keras_compat", "pydantic", "safetensors")
ALONE = f"""
import runpy, sys
for name in {BLOCKED!r}:
    sys.modules[name] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def alone(*arguments):
    """Runs the client where nothing of this package can be imported."""
    done = python("-I", "-c", ALONE, CLIENT, *arguments)
    lines = [line for line in done.stderr.splitlines() if not line.startswith("INFO")]
    return done.returncode, done.stdout, "\n".join(lines)


def test_a_device_needs_numpy_and_the_interpreter_alone():
    tree = ast.parse(CLIENT.read_text())
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            found.add(node.module.partition(".")[0])
    assert found - sys.stdlib_module_names == {"numpy", "ai_edge_litert", "tflite_runtime"}


def test_what_is_copied_to_a_device_takes_an_update_and_classifies(place, tmp_path, monkeypatch):
    device, archive = place
    copied = shutil.copy(CLIENT, tmp_path / "client.py")
    monkeypatch.setattr(sys.modules[__name__], "CLIENT", Path(copied))
    np.save(tmp_path / "images.npy", np.stack([made.LIGHT, made.DARK]))
    assert alone("status", device)[:2] == (0, "phone@1 in float32: animals 1\n")
    code, said, errors = alone("apply", device, archive)
    assert (code, errors) == (0, "")
    assert said.startswith(
        "animals 2 is in use: 3 classes, 90.0% of 100 test images on this extractor"
    )
    code, said, _ = alone("classify", device, tmp_path / "images.npy")
    assert [line.split()[0] for line in said.splitlines()] == ["frog", "cat"] and code == 0
    assert alone("apply", device, archive) == (
        *(2, ""),
        "error: the update has number 2; this device has had 2: expected a higher one",
    )
    assert alone("rollback", device)[:2] == (0, "1 is in use\n")


def test_rolling_back_is_undone_by_rolling_back_and_lets_no_older_update_in(place, tmp_path):
    device, archive = place
    device_client.apply(device, archive)
    assert device_client.rollback(device) == 1
    assert Classifier(device).classify(made.LIGHT)[0] == "dog"
    with pytest.raises(UpdateError, match="has had 2"):
        device_client.apply(device, archive)
    assert device_client.rollback(device) == 2
    assert Classifier(device).classify(made.LIGHT)[0] == "frog"
    device_client.apply(device, made.update(tmp_path / "7.zip", 7))
    assert sorted(path.name for path in (device / "heads").iterdir()) == ["2", "7"]


def test_the_first_update_has_nothing_to_go_back_to(tmp_path):
    device = made.device(tmp_path / "new")
    with pytest.raises(UpdateError, match="no head"):
        Classifier(device)
    device_client.apply(device, made.update(tmp_path / "3.zip", 3))
    assert device_client.status(device)[1]["number"] == 3
    with pytest.raises(UpdateError, match="no earlier head"):
        device_client.rollback(device)


@pytest.mark.parametrize("how", ["killed", "failed"])
def test_an_apply_that_ends_at_any_step_leaves_the_old_head_or_the_new(how, place, tmp_path):
    for record in run_interrupted(how, place, tmp_path):
        step, *said = record["said"].splitlines()
        assert step in interrupted.STEPS
        goes_on(record)
        if how == "killed":
            assert (record["code"], said) == (-9, [])
        elif record["number"] == 1:
            assert record["code"] == 2 and len(said) == 1 and said[0].startswith("error: "), record
            assert "No space left on device" in said[0]


@pytest.mark.slow
def test_an_apply_that_is_killed_anywhere_leaves_the_old_head_or_the_new(place, tmp_path):
    records = run_interrupted("anywhere", place, tmp_path)
    assert len(records) == interrupted.MOMENTS
    for record in records:
        goes_on(record)
    assert {record["number"] for record in records} == {1, 2}


def run_interrupted(how, place, tmp_path):
    np.save(tmp_path / "light.npy", made.LIGHT)
    (tmp_path / "scratch").mkdir()
    done = python(interrupted.__file__, how, *place, tmp_path / "scratch", tmp_path / "light.npy")
    records = json.loads(done.stdout.splitlines()[-1])
    assert len(records) > 8
    return records


def goes_on(record):
    """A device answers after an apply that ended early, and takes the update if it has not yet."""
    assert record["answer"] == {1: "dog", 2: "frog"}[record["number"]], record
    assert record["again"] == {1: 0, 2: 2}[record["number"]], record
    assert record["after"] == "frog"
    assert record["files"] == [
        "device.json",
        "extractor.tflite",
        *(f"heads/{number}/{name}" for number in (1, 2) for name in KEPT),
        "state.json",
    ]


def test_several_at_once_end_with_the_newest(place, tmp_path):
    device, _ = place
    archives = [made.update(tmp_path / f"{number}.zip", number) for number in (3, 5, 4)]
    command = [sys.executable, "-I", str(CLIENT), "apply", str(device)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    working = [subprocess.Popen([*command, str(archive)], **pipes) for archive in archives]
    codes = []
    for process in working:
        said = process.communicate()
        codes.append(process.returncode)
        assert process.returncode == 0 or "expected a higher one" in said[1]
    assert set(codes) <= {0, 2} and codes[1] == 0
    assert device_client.status(device)[1]["number"] == 5
    assert len(list((device / "heads").iterdir())) == 2


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda d: (d / "extractor.tflite").write_bytes(made.extractor(light=2.0)),
            "extractor.tflite is not what device.json says",
        ),
        (lambda d: (d / "extractor.tflite").unlink(), "extractor.tflite cannot be read"),
        (lambda d: shutil.rmtree(d), "device.json cannot be read"),
    ],
)
def test_without_an_extractor_the_device_says_so(place, damage, message):
    device, archive = place
    damage(device)
    for work in (device_client.status, Classifier, lambda device: device_client.apply(*place)):
        with pytest.raises(UpdateError, match=message if device.exists() else "No such file"):
            work(device)


def test_without_a_head_a_damaged_description_is_not_replaced(tmp_path):
    device = made.device(tmp_path / "new")
    for content, message in (("{}", "has other fields than"), ("[" * 10_000, "is not valid JSON")):
        (device / "device.json").write_text(content)
        with pytest.raises(UpdateError, match=f"device.json {message}"):
            device_client.status(device)


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"null", b"[" * 100_000, b"\xff\xfe{}", b'{"a": 1, "a": 1}', b"9" * 5000),
        b'{"schema_version": 1, "current": 1, "previous": 0, "highest": NaN}',
        *(
            json.dumps(dict(zip(("schema_version", *STATE), (1, *numbers), strict=True))).encode()
            for numbers in (
                *((5, 4, 5), (1, 1, 1), (1, 0, 9), (0, 1, 1), (-1, 0, -1), (True, 0, True)),
                *((1.0, 0, 1.0), (2**60, 0, 2**60), ("1", "0", "1"), (None, 0, None)),
            )
        ),
    ],
)
def test_a_state_that_is_lost_is_found_again(place, content):
    device, archive = place
    (device / "state.json").write_bytes(content)
    assert device_client.status(device)[1]["number"] == 1
    with pytest.raises(UpdateError, match="cannot be read"):
        device_client.apply(device, device / "no.zip")
    with pytest.raises(UpdateError, match="this device has had"):
        device_client.apply(device, made.update(archive.with_name("0.zip"), 1))
    assert Classifier(device).classify(made.LIGHT)[0] == "dog"


def test_a_lost_state_lets_no_older_update_in(place, tmp_path):
    device, archive = place
    device_client.apply(device, archive)
    (device / "state.json").unlink()
    with pytest.raises(UpdateError, match="this device has had 2"):
        device_client.apply(device, made.update(tmp_path / "1.zip", 1))
    device_client.apply(device, made.update(tmp_path / "3.zip", 3))
    assert device_client.rollback(device) == 2


def chinese(count):
    """Names whose letters take three bytes in UTF-8, and six where JSON is ASCII."""
    return tuple(chr(0x4E00 + i) + "\u8c93" * 80 for i in range(count))


def test_an_update_near_the_largest_size_is_kept_whole_and_one_beyond_is_not_written(
    place, tmp_path
):
    device, _ = place
    line = len(f'    "{chinese(1)[0]}",\n'.encode())
    names = chinese((device_client.LARGEST_UPDATE - 2000) // line)
    archive = made.update(tmp_path / "5.zip", 5, made.head(5, len(names)), class_names=names)
    size = len(contents(archive)["update.json"])
    assert device_client.LARGEST_UPDATE - 2000 < size <= device_client.LARGEST_UPDATE
    device_client.apply(device, archive)
    assert Classifier(device).classify(made.LIGHT)[0] == names[5]
    kept = (device / "heads" / "5" / "update.json").read_bytes()
    assert kept == contents(archive)["update.json"]
    with pytest.raises(InputError, match="would be refused by every device: update.json claims"):
        made.update(tmp_path / "6.zip", 6, class_names=chinese(len(names) + 10))


def test_what_cannot_be_read_back_is_not_put_into_use(place, monkeypatch):
    device, archive = place
    sync = device_client._sync_file

    def losing(file):
        if file.name.endswith("update.json"):
            file.truncate(100)
        sync(file)

    monkeypatch.setattr(device_client, "_sync_file", losing)
    with pytest.raises(
        UpdateError, match="of the update cannot be read: update.json is not valid JSON"
    ):
        device_client.apply(device, archive)
    assert [path.name for path in (device / "heads").iterdir()] == ["1"]
    assert Classifier(device).classify(made.LIGHT)[0] == "dog"


def test_what_is_not_the_clients_is_left_alone(place):
    device, archive = place
    heads = device / "heads"
    for name in (".DS_Store", "incoming", "2", "7"):
        (heads / name).write_bytes(name.encode())
    for name in ("notes", "8"):
        (heads / name).mkdir()
        (heads / name / "1.jpg").write_bytes(b"photo")
    device_client.apply(device, archive)
    assert {path.name for path in heads.iterdir()} == {
        *(".DS_Store", "notes", "1", "2", "7", "8", "incoming.aside-1", "2.aside-1")
    }
    assert (heads / "incoming.aside-1").read_bytes() == b"incoming"
    assert (heads / "8" / "1.jpg").read_bytes() == b"photo"
    assert Classifier(device).classify(made.LIGHT)[0] == "frog"


@pytest.mark.parametrize(
    "name", ["heads", "heads/incoming", "heads/2", "state.json.new", "heads/9"]
)
def test_links_lead_nowhere(place, tmp_path, name):
    device, archive = place
    photos = tmp_path / "photos"
    for number in ("1", "2", "2023", "incoming"):
        (photos / number).mkdir(parents=True)
        (photos / number / "update.json").write_bytes(b"x")
    if name == "heads":
        shutil.rmtree(device / "heads")
    (device / name).symlink_to(photos)
    before = sorted(photos.rglob("*"))
    for update in (device / "no.zip", archive):
        if update == archive and name in ("state.json.new", "heads/9"):
            device_client.apply(device, update)
            assert Classifier(device).classify(made.LIGHT)[0] == "frog"
        else:
            with pytest.raises(UpdateError, match="is a link; remove it|cannot be read"):
                device_client.apply(device, update)
    assert sorted(photos.rglob("*")) == before


def test_a_head_is_tried_with_the_packages_of_this_process(place, tmp_path, monkeypatch):
    """As with PYTHONPATH, or packages of the user: a Python that starts alone finds none."""
    python_that(tmp_path, monkeypatch, f'exec "{sys.executable}" -S "$@"')
    device_client.apply(*place)
    assert Classifier(place[0]).classify(made.LIGHT)[0] == "frog"


@pytest.mark.parametrize("missing", ["ai_edge_litert", "numpy"])
def test_a_package_that_is_missing_is_named(place, tmp_path, monkeypatch, missing):
    device, _ = place
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / f"{missing}.py").write_text(f"raise ImportError('no {missing}')")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "packages"), *sys.path])
    message = r"a package is missing \(.*\); pip install numpy ai-edge-litert"
    for work in (lambda: device_client.apply(*place), lambda: Classifier(device)):
        with pytest.raises(UpdateError, match=message):
            work()
    assert [path.name for path in (device / "heads").iterdir()] == ["1"]


def test_an_installed_file_that_does_not_run_says_so(place):
    device, junk = place[0], b"TFL3" * 10
    about = json.loads((device / "device.json").read_text()) | {
        "sha256": sha256(junk),
        "size": len(junk),
    }
    (device / "device.json").write_text(json.dumps(about))
    (device / "extractor.tflite").write_bytes(junk)
    (device / "heads" / "1" / "installed.json").unlink()
    update = device / "heads" / "1" / "update.json"
    name, other = (device_client.head_file(sha256(c)) for c in (junk, made.EXTRACTOR))
    text = update.read_text().replace(sha256(made.EXTRACTOR), sha256(junk))
    update.write_text(text.replace(other, name))
    with pytest.raises(UpdateError, match="the extractor does not run"):
        Classifier(device)


def test_a_damaged_head_is_not_run_and_without_a_whole_one_the_device_says_so(place):
    device, archive = place
    device_client.apply(device, archive)
    file = device / "heads" / "2" / "head.tflite"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert Classifier(device).classify(made.LIGHT)[0] == "dog"
    with pytest.raises(UpdateError, match="head 2 is damaged"):
        device_client.rollback(device)
    device_client.apply(device, archive)  # of the same number, since there it is damaged
    assert Classifier(device).classify(made.LIGHT)[0] == "frog"
    assert device_client.rollback(device) == 1
    for head in (device / "heads").iterdir():
        (head / "head.tflite").unlink()
    with pytest.raises(UpdateError, match="head 1 is damaged: .*; head 2 is damaged: "):
        Classifier(device)
    device_client.apply(device, archive)
    assert Classifier(device).classify(made.LIGHT)[0] == "frog"


@pytest.mark.parametrize(
    "image", [made.LIGHT[:, :, 0], made.LIGHT[:2], made.LIGHT.astype("float32"), made.LIGHT[None]]
)
def test_an_image_of_another_shape_or_type_is_refused(place, image):
    with pytest.raises(UpdateError, match=r"expected uint8 \(4, 4, 1\)"):
        Classifier(place[0]).scores(image)


def test_classifying_ends_in_one_line(place, tmp_path, capsys):
    device, images = str(place[0]), str(tmp_path / "x.npy")
    for shape in ((), (4,), (4, 4), (1, 1, 4, 4, 1)):
        np.save(images, np.zeros(shape, "uint8"))
        assert device_client.main(["classify", device, images]) == 2
        told = capsys.readouterr()
        assert f"holds an array of shape {shape}; expected one image" in told.err
        assert told.err.count("\n") == 1 and not told.out
    np.save(images, made.LIGHT)
    assert device_client.main(["classify", device, images]) == 0
    (place[0] / "extractor.tflite").unlink()
    assert device_client.main(["classify", device, images]) == 2
    assert capsys.readouterr().err.startswith("error: extractor.tflite cannot be read")


def test_quantizations_are_those_that_are_written():
    assert device_client.QUANTIZATIONS == QUANTIZATIONS


def test_a_command_that_there_is_not_shows_those_that_there_are(capsys):
    assert device_client.main(["install"]) == 2
    assert "device_client.py apply FOLDER ARCHIVE" in capsys.readouterr().err
