"""What can become of a file: each takes the path of a file, and leaves something else there."""

from __future__ import annotations

import os
import resource
import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np


def _content(content):
    def write(path):
        path.write_bytes(content)

    return write


def _half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _flipped(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


def _folder(path):
    path.unlink()
    (path / "inside").mkdir(parents=True)


def _link(target):
    def put(path):
        path.unlink()
        path.symlink_to(target or path)

    return put


def _pipe(path):
    path.unlink()
    os.mkfifo(path)


DAMAGES = {
    "gone": Path.unlink,
    "empty": _content(b""),
    "half": _half,
    "flipped": _flipped,
    "random": _content(np.random.default_rng(0).bytes(5000)),
    "not_utf8": _content(b'{"message": "caf\xe9"}'),
    "deep": _content(b"[" * 20_000 + b"]" * 20_000),
    "deep_enough": _content(b'{"a":' * 400 + b"1" + b"}" * 400),
    "null": _content(b"null"),
    "number": _content(b"5"),
    "long_number": _content(b"9" * 5000),
    "list": _content(b"[]"),
    "dict": _content(b"{}"),
    "nested": _content(b'[{"metric": "accuracy", "value": {"value": 1}}]'),
    "not_finite": _content(b'[{"metric": "accuracy", "value": NaN}]'),
    "folder": _folder,
    "link_to_itself": _link(None),
    "link_to_nothing": _link("nowhere"),
    "link_to_a_device": _link("/dev/zero"),
    "pipe": _pipe,
}


def damaged_copy(folder, copy, name, damage):
    """Copies a folder, with one of its files damaged; returns the copy."""
    shutil.copytree(folder, copy, symlinks=True)
    DAMAGES[damage](copy / name)
    return copy


def files_of(folder):
    """Returns the names of all files below a folder."""
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


@contextmanager
def full_disk(left=1000):
    """Lets every file of this process, and of those that it starts, have so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (left, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
