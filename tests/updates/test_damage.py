"""Whatever single file of a device is damaged, it answers as a whole head does, and says why."""

import os
import shutil
from pathlib import Path

import pytest

from keras_compat.files import remove
from keras_compat.updates import device_client
from keras_compat.updates.device_client import Classifier, UpdateError
from tests.attacks.archives import instead
from tests.attacks.update_harness import everything
from tests.updates import made

pytestmark = pytest.mark.once
HEAD_FILES = ("update.json", "head.tflite", "installed.json")
OF_HEADS = [f"heads/{number}/{name}" for number in (1, 2) for name in HEAD_FILES]
FILES = ("device.json", "state.json", "extractor.tflite", *OF_HEADS)
FOLDERS = ("heads", "heads/1", "heads/2")


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A device with heads 1 and 2, which say dog and frog of light images, and update 3: cat."""
    folder = tmp_path_factory.mktemp("good")
    device = made.device(folder / "device")
    for number in (1, 2, 3):
        archive = made.update(folder / f"{number}.zip", number)
        if number < 3:
            device_client.apply(device, archive)
    return folder


@pytest.fixture
def place(good, tmp_path):
    shutil.copytree(good, tmp_path / "good")
    return tmp_path / "good"


def holding(change):
    def damage(path: Path, elsewhere: Path) -> None:
        content = path.read_bytes() if path.is_file() else b"{}"
        remove(path)
        path.write_bytes(change(content))

    return damage


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def a_folder_of_photos(path: Path) -> None:
    path.mkdir()
    (path / "1.jpg").write_bytes(b"photo")


def a_link(path: Path, elsewhere: Path) -> None:
    """The same content, but elsewhere."""
    target = elsewhere / path.name
    shutil.move(path, target)
    path.symlink_to(target)


def huge(path: Path, elsewhere: Path) -> None:
    holding(bytes)(path, elsewhere)
    os.truncate(path, 2**40)


DAMAGES = {
    "missing": instead(lambda path: None),
    "empty": holding(lambda content: b""),
    "cut in half": holding(lambda content: content[: len(content) // 2]),
    "one bit": holding(flipped),
    "random": holding(lambda content: os.urandom(len(content))),
    "a folder": instead(Path.mkdir),
    "a folder of photos": instead(a_folder_of_photos),
    "a link": a_link,
    "a link to nothing": instead(lambda path: path.symlink_to("nothing")),
    "a pipe": instead(os.mkfifo),
    "huge": huge,
}
OFTEN = ("missing", "one bit", "a link")


def cases(slow):
    for path in FILES + FOLDERS:
        for name in DAMAGES:
            often = name in OFTEN and "1" not in path
            if often != slow:
                yield pytest.param(path, name, marks=[pytest.mark.slow] if slow else [])


@pytest.mark.parametrize(("path", "name"), [*cases(slow=False), *cases(slow=True)])
def test_a_device_goes_on_after_any_damage(place, tmp_path, path, name, caplog):
    device, elsewhere = place / "device", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "7").mkdir()  # would be removed, were it a head's
    DAMAGES[name](device / path, elsewhere)
    before = everything(elsewhere)
    gone = path in ("heads", "extractor.tflite")
    try:
        with Classifier(device) as classifier:
            said = classifier.classify(made.LIGHT)[0]
    except UpdateError as error:
        assert gone and str(error).isprintable() and len(str(error)) < 700
    else:
        assert not gone
        in_head_2 = path.startswith("heads/2")
        # A check that is not there is not missed: head 2 is whole.
        assert said == ("dog" if in_head_2 and "installed" not in path else "frog")
        lines = [record.getMessage() for record in caplog.records]
        assert all(line.isprintable() for line in lines)
        if path in ("device.json", "state.json") or said == "dog":
            assert ("head 2 is " if in_head_2 else path) in lines[-1]
            assert lines[-1].endswith("head 1 is used" if in_head_2 else "head 2 is used")
        caplog.clear()
        with Classifier(device) as classifier:
            assert classifier.classify(made.LIGHT)[0] == said
        # What could be mended is mended, and said once.
        assert not caplog.records
    if path == "heads" and name.startswith("a link"):
        with pytest.raises(UpdateError, match="heads is a link; remove it"):
            device_client.apply(device, place / "3.zip")
    elif path != "extractor.tflite":
        device_client.apply(device, place / "3.zip")  # which tries the head
        assert device_client.status(device)[1]["number"] == 3
    assert everything(elsewhere) == before
