"""Archives changed at random: each is refused in one line, or is an update to the last byte."""

import json
import random
import re
import warnings
from collections import Counter

import numpy as np
import pytest

from keras_compat.updates import device_client
from tests.attacks.archives import contents, packed
from tests.attacks.memory import little_memory
from tests.attacks.update_harness import HEAD, UPDATE, make_device, with_head
from tests.store.test_mutations import mutated
from tests.updates import made

pytestmark = pytest.mark.once
COUNT = 10_000
IN_A_HEAD = ("heads/2/update.json", "heads/2/head.tflite", "heads/2/installed.json")
NAMES = (UPDATE, HEAD, "README.md", "manifest.json", "../x", "/tmp/x", "a/b", "con", "x" * 300, "é")


def in_bytes(data, members, chance):
    """Bytes changed, left out, doubled or moved, anywhere."""
    return mutated(data, chance)


def in_headers(data, members, chance):
    """Numbers of a header or of the directory are others."""
    marks = [found.start() for found in re.finditer(rb"PK[\1\3\5]", data)]
    start = chance.choice(marks) + chance.randrange(4, 46)
    value = chance.choice((0, 1, 255, 256, 2**16 - 1, 2**31, 2**32 - 1, chance.randrange(2**32)))
    return data[:start] + value.to_bytes(4, "little") + data[start + 4 :]


def cut_off(data, members, chance):
    return data[: chance.randrange(len(data))]


def in_members(data, members, chance):
    """Members are renamed, doubled, added, left out or in another order; the form is right."""
    pairs = list(members.items())
    for _ in range(chance.choice((1, 1, 2))):
        at = chance.randrange(len(pairs)) if pairs else 0
        change = chance.randrange(5)
        if change == 0 and pairs:
            pairs[at] = (chance.choice(NAMES), pairs[at][1])
        elif change == 1 and pairs:
            pairs.insert(chance.randrange(len(pairs) + 1), pairs[at])
        elif change == 2:
            pairs.append((chance.choice(NAMES), chance.randbytes(chance.randrange(50))))
        elif change == 3 and pairs:
            del pairs[at]
        else:
            chance.shuffle(pairs)
    return packed(pairs)


def in_content(data, members, chance):
    """A member has other bytes; the form is right, and its CRC-32."""
    name = chance.choice(list(members))
    return packed({**members, name: mutated(members[name], chance)})


def in_json(data, members, chance):
    """A value of `update.json` is another; all checksums fit."""
    said = json.loads(members[UPDATE])
    place = said
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = chance.choice(keys) if keys else None
        if key is None or not isinstance(place[key], (dict, list)) or chance.random() < 0.3:
            break
        place = place[key]
    if key is not None:
        place[key] = chance.choice(VALUES)
    if isinstance(place, dict) and chance.random() < 0.2:
        place[chance.choice(NAMES)] = chance.choice(VALUES)
    return packed({**members, UPDATE: json.dumps(said).encode()})


VALUES = (
    *(None, True, False, -1, 0, 1, 2, 0.5, 1e300, 2**53, 2**63, 10**30, "", "a", "../x", "a\nb"),
    *("\ud800", "\u202e", "x" * 10_000, [], {}, [[[]]], {"a": 1}, [1, 2, 3], "1", "é", "f" * 64),
)
MUTATIONS = (in_bytes, in_headers, cut_off, in_members, in_content, in_json)


def test_ten_thousand_archives(tmp_path):
    good = made.update(tmp_path / "good.zip", 2).read_bytes()
    members = contents(tmp_path / "good.zip")
    archive, inside = tmp_path / "changed.zip", tmp_path / "inside"
    inside.mkdir()
    target = inside / "head.tflite"
    chance = random.Random(0)
    refused, taken = 0, 0
    with little_memory(100 * 2**20), warnings.catch_warnings(action="ignore"):
        for i in range(COUNT):
            archive.unlink(missing_ok=True)  # writing over a file syncs it, on some file systems
            archive.write_bytes(MUTATIONS[i % len(MUTATIONS)](good, members, chance))
            target.unlink(missing_ok=True)
            try:
                said = device_client.read_archive(archive, lambda found: {HEAD: target})
            except device_client.UpdateError as error:
                refused += 1
                text = str(error)
                assert text.isprintable() and len(text) < 500, text
            else:
                taken += 1
                is_an_update_to_the_last_byte(archive, said)
            assert {path.name for path in inside.iterdir()} <= {"head.tflite"}
    assert {path.name for path in tmp_path.iterdir()} == {"good.zip", "changed.zip", "inside"}
    # Some mutations change nothing, or a letter of a class.
    assert refused > 0.9 * COUNT and taken > 0.005 * COUNT, (refused, taken)


@pytest.mark.parametrize("name", ["device.json", "state.json", *IN_A_HEAD])
def test_a_device_with_a_changed_file_has_a_whole_head(tmp_path, name):
    """Its own description, and what is in use, is found again, or was changed in form alone."""
    device, archive = make_device(tmp_path)
    device_client.apply(device, archive)
    said = device_client.read_device(device)
    content, chance = (device / name).read_bytes(), random.Random(0)
    found = Counter()
    for _ in range(300):
        (device / name).write_bytes(mutated(content, chance))
        about, update = device_client.status(device)
        assert about == said and tuple(update["class_names"]) == made.NAMES
        found[update["number"]] += 1
    assert (found[1] > 200) == (name in IN_A_HEAD[:2]) and found[2], found


def test_changed_images_are_refused_or_of_the_right_size(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (3, 4, 4, 1), "uint8")
    np.save(tmp_path / "good.npy", images)
    content, chance, ended = (tmp_path / "good.npy").read_bytes(), random.Random(0), Counter()
    for i in range(3000):
        # As many bytes of the header as of images, and now and then of Fortran's order.
        data = content.replace(b"False", b"True ") if i % 4 == 0 else content
        (tmp_path / "x.npy").unlink(missing_ok=True)
        (tmp_path / "x.npy").write_bytes(mutated(data, chance))
        try:
            found = list(device_client._images(tmp_path / "x.npy", made.IMAGE))
        except device_client.UpdateError as error:
            assert str(error).isprintable() and len(str(error)) < 500
            ended["refused"] += 1
        else:
            assert {len(image) for image in found} <= {16}
            ended["read"] += 1
    assert min(ended.values()) > 300, ended


@pytest.mark.slow
def test_changed_heads_with_checksums_that_fit(tmp_path):
    """They reach the interpreter; some run, with other weights."""
    chance = random.Random(0)
    ended = Counter()
    for number in range(300):
        device, archive = make_device(tmp_path / str(number))
        with_head(archive, mutated(made.head(2), chance))
        try:
            device_client.apply(device, archive)
            ended["taken"] += 1
        except device_client.UpdateError as error:
            text = str(error)
            assert text.isprintable() and len(text) < 500, text
            ended["refused"] += 1
            assert device_client.status(device)[1]["number"] == 1
            assert device_client.Classifier(device).classify(made.LIGHT)[0] == "dog"
    assert ended["refused"] > 50 and ended["taken"] > 10, ended


def is_an_update_to_the_last_byte(archive, said):
    """Any program reads the same of it; the writer would write these bytes."""
    data, found = archive.read_bytes(), contents(archive)
    assert json.loads(found[UPDATE]) == said
    assert set(found) == {UPDATE, *said["files"]}
    assert packed(found) == data
