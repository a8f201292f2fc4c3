"""Manifests changed at random: each is read, or refused in one line."""

import random

import pytest

from keras_compat.store import read_manifest
from keras_compat.store.errors import StoreError
from tests.store import made

pytestmark = pytest.mark.once


def mutated(content: bytes, chance: random.Random) -> bytes:
    """Bytes with some of them changed, left out, doubled or moved."""
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 8))):
        start = chance.randrange(len(data) + 1)
        end = min(len(data), start + chance.choice((1, 1, 4, 40)))
        change = chance.randrange(6)
        if change == 0 and start < end:
            data[start] ^= 1 << chance.randrange(8)
        elif change == 1:
            del data[start:end]
        elif change == 2:
            data[start:start] = data[start:end]
        elif change == 3:
            data[start:start] = chance.choice(TOKENS)
        elif change == 4:
            data[start:end] = chance.choice(TOKENS)
        else:
            data = data[:start] if chance.random() < 0.1 else data
    return bytes(data)


TOKENS = (
    *(b"null", b"true", b"-1", b"1e999", b"NaN", b"9" * 400, b'"', b"{", b"]", b",", b"\\u0000"),
    *(b"\\ud800", b"\xff", b"../", b"\n", b'"a":', b"[[[[", b"0", b"\xf0\x9f\x92\xa9", b"\0"),
)


def test_ten_thousand_mutations(tmp_path):
    content = made.head_package().manifest.to_json()
    chance = random.Random(0)
    refused = 0
    for _ in range(10_000):
        data = mutated(content, chance)
        try:
            read_manifest(data, "head@1")
        except StoreError as error:
            refused += 1
            text = str(error)
            assert text.isprintable() and len(text) < 500, text
    # The others are still manifests: a letter of a name, a digit of a metric.
    assert refused > 7_000
