"""Updates of strangers: each attack of tests/attacks is refused in one line, in little memory."""

import os

import pytest

from keras_compat.updates import device_client
from tests.attacks import update_archives, update_harness, update_heads, update_manifests
from tests.attacks.memory import little_memory
from tests.attacks.update_harness import everything, python_that
from tests.updates import made

pytestmark = pytest.mark.once
ATTACKS = {
    f"{module.__name__.rpartition('.')[2]}: {name}": attack
    for module in (update_archives, update_manifests, update_heads)
    for name, attack in module.ATTACKS.items()
}
SURPLUS = 20 * 2**20  # the bombs are of 64 megabytes and more


@pytest.mark.parametrize("name", ATTACKS)
def test_refused_in_one_line_and_the_head_in_use_goes_on(name, tmp_path, capsys):
    attack, expected = ATTACKS[name]
    device, archive = update_harness.make_device(tmp_path)
    attack(archive)
    before = everything(tmp_path)
    with little_memory(SURPLUS):
        code = device_client.main(["apply", str(device), str(archive)])
    told = capsys.readouterr()
    message = told.err.removeprefix("error: ").removesuffix("\n")
    assert (code, told.out) == (2, "")
    assert expected in message and message.isprintable() and len(message) < 400
    assert everything(tmp_path) == before
    assert device_client.status(device)[1]["number"] == 1


def test_a_head_that_takes_too_long_is_refused(tmp_path):
    device, archive = update_harness.make_device(tmp_path)
    update_harness.with_head(archive, made.head_that_fails_at(255, "endless"))
    with pytest.raises(
        device_client.UpdateError, match="took more than 0.1 s of work for one image"
    ):
        device_client.apply(device, archive, seconds=0.2)
    assert os.listdir(device / "heads") == ["1"]


@pytest.mark.parametrize(
    ("does", "message"),
    [
        # As on a system without limits of processor time.
        ("exec sleep 60", "its process ended with -9"),
        # No head is known that ends the interpreter.
        ("kill -SEGV $$", "its process ended with -11"),
        (
            "echo first >&2; echo 'no libc.so.6' >&2; echo >&2; exit 1",
            r"its process ended with 1: no libc\.so\.6$",
        ),
    ],
)
def test_a_process_that_ends_or_does_not_answer_is_told(tmp_path, monkeypatch, does, message):
    """Another program stands in for the Python that tries the head."""
    python_that(tmp_path, monkeypatch, does)
    if "sleep" in does:
        monkeypatch.setattr(device_client, "_START_SECONDS", 0.2)
    device, archive = update_harness.make_device(tmp_path / "place")
    with pytest.raises(device_client.UpdateError, match=message):
        device_client.apply(device, archive)
    assert os.listdir(device / "heads") == ["1"]
