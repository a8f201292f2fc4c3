"""What a stranger writes into a store, seen by whoever lists, shows or verifies it."""

import os
from pathlib import Path

import pytest

from apps import components
from keras_compat.store import Fault, Reference, Store
from keras_compat.store.card import write_card
from tests.attacks.harness import said
from tests.store import made

pytestmark = pytest.mark.once
NAMES = [
    "\x1b]0;owned\x07",
    "x\n0 fault(s), 1 component name(s)",
    "\u202egpj.exe",
    "\x9b31m",
    "\r\u2028\x85",
    "\u200f\u061c\ufeff",
]


@pytest.fixture
def store(tmp_path):
    Store(tmp_path).publish(Reference("head", "1"), made.head_package())
    return tmp_path


def shown(capsys, *arguments):
    """What a command writes, to either stream, line by line."""
    try:
        components.run([str(argument) for argument in arguments])
    except (SystemExit, ValueError) as error:
        print(error)
    written = "".join(capsys.readouterr())
    lines = written.splitlines()
    assert written.count("\n") == len(lines)
    assert all(line.isprintable() for line in lines), written
    return lines


@pytest.mark.parametrize("name", [*NAMES, b"\xff\x1b[2J"])
@pytest.mark.parametrize("place", ["", "head", "head/1", "head/aliases", ".staging"])
def test_names_of_files_are_escaped(name, place, store, capsys):
    (store / place).mkdir(exist_ok=True)
    Path(os.fsdecode(os.path.join(os.fsencode(store / place), os.fsencode(name)))).mkdir()
    lines = shown(capsys, "verify", store)
    assert lines[-2] == "1 fault(s), 1 component name(s)" and len(lines) == 3
    shown(capsys, "list", store)
    shown(capsys, "show", store, "head")
    os.utime(store / place / os.fsdecode(name), (0, 0))
    shown(capsys, "verify", store, "--clean")


@pytest.mark.parametrize("name", NAMES)
def test_keys_of_a_manifest_are_escaped(name, store, capsys):
    said(name, to=1)(store / "head" / "1")
    for command in (("verify", store), ("list", store), ("show", store, "head@1")):
        shown(capsys, *command)


@pytest.mark.parametrize("field", ["class_names", "licence", "metrics", "data"])
def test_texts_of_a_manifest_are_escaped(field, store, capsys):
    """A manifest may hold marks without a width; they are shown by their codes."""
    text = "\u200f\u061c|<b>[x](javascript:x)\u00ad"
    values = {
        "class_names": [text, "dog"],
        "licence": text,
        "metrics": {text: 0.5},
        "data": [{"name": text, "images": 1, "sha256": None}],
    }
    said(field, to=values[field])(store / "head" / "1")
    lines = shown(capsys, "show", store, "head")
    assert not any("<b>" in line or "[x](" in line for line in lines)
    shown(capsys, "show", store, "head", "--json")
    shown(capsys, "list", store, "--json")
    card = write_card(Store(store).manifest(Reference("head", "1")), "head@1")
    assert all(line.isprintable() for line in card.splitlines())


def test_a_fault_is_one_line():
    assert Fault("a\nb\udcff", "wrong").path == "a\\nb\\xff"
