"""Archives of updates that are none, are not whole, or would unpack to what they do not say."""

from __future__ import annotations

import io
import os
import struct
import warnings
import zipfile
from pathlib import Path

from tests.attacks.archives import compressed, contents, instead, packed
from tests.attacks.update_harness import HEAD, UPDATE

FORM = "where it should be"
SIZE = "fetch it again"


def content(data: bytes):
    return lambda archive: archive.write_bytes(data)


def bytes_changed(change):
    """The archive's bytes are others."""

    def attack(archive: Path) -> None:
        data = bytearray(archive.read_bytes())
        archive.write_bytes(change(data) or data)

    return attack


def flipped(name: str):
    """One bit of a member is another."""

    def change(data: bytearray) -> None:
        in_directory = data.rindex(name.encode())
        data[data.rindex(name.encode(), 0, in_directory) + len(name) + 20] ^= 1

    return bytes_changed(change)


def members(change):
    """The archive is of the right form, of other members."""

    def attack(archive: Path) -> None:
        pairs = list(contents(archive).items())
        archive.write_bytes(packed(change(pairs) or pairs))

    return attack


def renamed(new: str):
    """The head's member has another name, in both places where an archive says it."""
    return members(lambda pairs: [(new if name == HEAD else name, data) for name, data in pairs])


def bomb(archive: Path) -> None:
    """64 megabytes of zeros in 64 kilobytes, in the place of `update.json`."""
    with (
        zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened,
        opened.open(UPDATE, "w") as member,
    ):
        for _ in range(64):
            member.write(bytes(2**20))


def nested(archive: Path) -> None:
    """Bombs in a bomb, in the place of the head."""
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as opened:
        for i in range(100):
            opened.writestr(f"{i}.zip", bytes(2**20))
    found = contents(archive)
    archive.write_bytes(packed({**found, HEAD: inner.getvalue()}))


def field(form: str, at: int, value: int):
    """The first header says something else of its member."""
    return bytes_changed(lambda data: struct.pack_into(form, data, at, value))


def broken_stream(archive: Path) -> None:
    """A member that is compressed, whose stream is damaged."""
    compressed(archive)
    data = bytearray(archive.read_bytes())
    start = 30 + len(UPDATE)
    data[start + 20 : start + 40] = bytes(20)
    archive.write_bytes(data)


def zip64_claims(archive: Path) -> None:
    """An end of the directory that says there are so many bytes and members."""
    data = archive.read_bytes()
    end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, *[2**62] * 4)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, len(data) - 22, 1)
    archive.write_bytes(data[:-22] + end + locator + data[-22:])


def zip64(archive: Path) -> None:
    found = contents(archive)
    with zipfile.ZipFile(archive, "w") as opened:
        for name, data in found.items():
            with opened.open(zipfile.ZipInfo(name), "w", force_zip64=True) as member:
                member.write(data)


def many_members(archive: Path) -> None:
    """A directory of twenty thousand members."""
    found = list(contents(archive).items())
    archive.write_bytes(packed([*found, *((f"{i:06}", b"") for i in range(20_000))]))


def sparse(size: int):
    """So many bytes, without one on disk."""
    return lambda archive: os.truncate(archive, size)


def twice(archive: Path) -> None:
    found = list(contents(archive).items())
    with warnings.catch_warnings(action="ignore"):  # of zipfile, which writes it all the same
        archive.write_bytes(packed([*found, found[-1]]))


def said(**fields):
    """The head's member says something else of itself."""

    def attack(archive: Path) -> None:
        found = contents(archive)
        with zipfile.ZipFile(archive, "w") as opened:
            for name, data in found.items():
                member = zipfile.ZipInfo(name)
                member.create_system, member.external_attr = 3, 0o100644 << 16
                if name == HEAD:
                    for field, value in fields.items():
                        setattr(member, field, value)
                opened.writestr(member, data)

    return attack


ATTACKS = {
    "no file": (Path.unlink, "cannot be read"),
    "a folder": (instead(Path.mkdir), "is no file"),
    "a pipe that nobody writes to": (instead(os.mkfifo), "is no file"),
    "nothing": (content(b""), "no archive of an update"),
    "no archive": (content(b"\x7fELF" + bytes(1000)), "no archive of an update"),
    "an empty archive": (content(b"PK\5\6" + bytes(18)), "no archive of an update"),
    "cut off in the middle": (bytes_changed(lambda data: data[: len(data) // 2]), SIZE),
    "cut off by a byte": (bytes_changed(lambda data: data[:-1]), SIZE),
    "a byte more": (bytes_changed(lambda data: data + b"\0"), SIZE),
    "something before it": (bytes_changed(lambda data: b"#!/bin/sh\n" + data), "no archive"),
    "a comment": (bytes_changed(lambda data: data[:-2] + b"\4\0sh\n\n"), SIZE),
    "a bit of the head changed": (flipped(HEAD), "tflite is damaged: its CRC-32"),
    "a bit of update.json changed": (flipped(UPDATE), "update.json is damaged"),
    "a bit of the directory changed": (
        bytes_changed(lambda data: data.__setitem__(-30, data[-30] ^ 1)),
        "directory",
    ),
    "a name that leaves the folder": (renamed("../../../../tmp/head.tflite"), SIZE),
    "a name as long that leaves the folder": (renamed("../" + HEAD[3:]), FORM),
    "an absolute name": (renamed("/" + HEAD[1:]), FORM),
    "a name with a zero byte": (renamed(HEAD[:-1] + "\u00ff"), SIZE),
    "the device's own file": (renamed("device.json"), SIZE),
    "a member twice": (twice, SIZE),
    "a member that nobody named": (members(lambda pairs: [*pairs, ("setup.py", b"")]), SIZE),
    "a member missing": (members(lambda pairs: pairs[:-1]), SIZE),
    "members in another order": (members(lambda pairs: [pairs[0], *pairs[:0:-1]]), FORM),
    "update.json last": (members(lambda pairs: pairs[::-1]), FORM),
    "compressed": (compressed, FORM),
    "a bomb": (bomb, "claims 67108864 bytes"),
    "bombs in a bomb": (nested, SIZE),
    "update.json of four gigabytes": (field("<L", 22, 2**32 - 1), "claims 4294967295 bytes"),
    "update.json of no bytes": (field("<L", 22, 0), FORM),
    "another size of what is packed": (field("<L", 18, 1), FORM),
    "update.json encrypted": (field("<H", 6, 1), FORM),
    "a compression that nobody has": (field("<H", 8, 99), FORM),
    "deflated, it says": (field("<H", 8, 8), FORM),
    "sizes that come after": (field("<H", 6, 8), FORM),
    "names in another code": (field("<H", 6, 1 << 11), FORM),
    "a stream that breaks off": (broken_stream, FORM),
    "zip64 that claims exabytes": (zip64_claims, SIZE),
    # Releases of Python write it in different ways: its first sizes, or what stands before them.
    "zip64": (zip64, "update.json"),
    "a directory of thousands": (many_members, SIZE),
    "a terabyte": (sparse(2**40), "expected 1073741824 at most"),
    "a gigabyte of nothing": (sparse(2**30 - 1), SIZE),
    "a link to /etc/passwd": (said(external_attr=0o120777 << 16), "directory"),
    "a folder, it says": (said(external_attr=0o040755 << 16), "directory"),
    "a program, it says": (said(external_attr=0o100777 << 16), "directory"),
    "of another day": (said(date_time=(2026, 1, 1, 0, 0, 0)), FORM),
    "a field as of zip64": (said(extra=b"\1\0\x10\0" + bytes(16)), SIZE),
}
