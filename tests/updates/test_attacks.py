"""Updates of strangers: each attack of tests/attacks is refused in one line, in little memory."""

import os
from pathlib import Path

import pytest

from keras_compat.updates import device_client
from tests.attacks import update_archives, update_harness, update_heads, update_manifests
from tests.attacks.memory import little_memory
from tests.updates import made

pytestmark = pytest.mark.once
ATTACKS = {
    f"{module.__name__.rpartition('.')[2]}: {name}": attack
    for module in (update_archives, update_manifests, update_heads)
    for name, attack in module.ATTACKS.items()
}
SURPLUS = 20 * 2**20  # the bombs are of 64 megabytes and more


def everything(folder: Path) -> dict[str, bytes | None]:
    """All that is in a folder, but for what an apply may leave: its lock."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
        if path.name != ".lock" and not path.is_fifo() and path.suffix != ".zip"
    }


@pytest.mark.parametrize("name", ATTACKS)
def test_refused_in_one_line_and_the_head_in_use_goes_on(name, tmp_path, capsys):
    attack, expected = ATTACKS[name]
    device, archive = update_harness.make_device(tmp_path)
    attack(archive)
    before = everything(tmp_path)
    scores = device_client.Classifier(device).scores(made.LIGHT)
    with little_memory(SURPLUS):
        code = device_client.main(["apply", str(device), str(archive)])
    told = capsys.readouterr()
    message = told.err.removeprefix("error: ").removesuffix("\n")
    assert (code, told.out) == (2, "")
    assert expected in message and message.isprintable() and len(message) < 400
    assert everything(tmp_path) == before
    assert (device_client.Classifier(device).scores(made.LIGHT) == scores).all()


def test_without_an_attack_it_is_taken(tmp_path, capsys):
    device, archive = update_harness.make_device(tmp_path)
    assert device_client.main(["apply", str(device), str(archive)]) == 0
    assert device_client.Classifier(device).classify(made.LIGHT)[0] == made.NAMES[2]


def test_a_head_that_takes_too_long_is_refused(tmp_path, monkeypatch):
    device, archive = update_harness.make_device(tmp_path)
    monkeypatch.setattr(device_client, "_TRIAL_SECONDS", 0.001)
    with pytest.raises(device_client.UpdateError, match="took more than 0.001 s"):
        device_client.apply(device, archive)
    assert os.listdir(device / "heads") == ["1"]


def test_a_head_that_ends_the_interpreter_is_refused(tmp_path, monkeypatch):
    """No file is known that does; a Python that dies stands in for it."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nkill -SEGV $$\n")
    python.chmod(0o755)
    device, archive = update_harness.make_device(tmp_path / "place")
    monkeypatch.setattr(device_client.sys, "executable", str(python))
    with pytest.raises(device_client.UpdateError, match="its process ended with -11"):
        device_client.apply(device, archive)
    assert os.listdir(device / "heads") == ["1"]
