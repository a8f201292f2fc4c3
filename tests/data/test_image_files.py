"""Image files of every kind of pixels, and of none: right, or refused in one line."""

import io
import os
import random
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_compat.data.image_files import FORMATS, is_image, open_image
from keras_compat.errors import InputError
from tests.store.test_mutations import mutated

pytestmark = pytest.mark.once

RED, CLEAR = (255, 0, 0), (0, 0, 0, 0)


def encoded(image: Image.Image, form: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def png(depth: int, colour: int, row: bytes, width: int = 2, clear: bytes = b"") -> bytes:
    """One row of pixels, as Pillow would not write it; `clear` is the transparent colour."""
    header = struct.pack(">IIBBBBB", width, 1, depth, colour, 0, 0, 0)
    content = chunk(b"IHDR", header) + (chunk(b"tRNS", clear) if clear else b"")
    content += chunk(b"IDAT", zlib.compress(b"\0" + row)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + content


def tiff_of_12_bits() -> bytes:
    """Two pixels, 4095 and 128."""
    pixels = b"\xff\xf0\x80\0"
    tags = {256: 2, 257: 1, 258: 12, 259: 1, 262: 1, 273: 8, 277: 1, 278: 1, 279: 3}
    entries = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items()]
    start = struct.pack("<2sHI", b"II", 42, 12) + pixels
    return start + struct.pack("<H", len(tags)) + b"".join(entries) + struct.pack("<I", 0)


def numbers(*values: float, dtype: str) -> Image.Image:
    return Image.fromarray(np.array([values], dtype))


def turned(image: Image.Image, form: str) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 3
    return encoded(image, form, exif=exif.tobytes())


def frames(form: str, **options) -> bytes:
    more = [Image.new("RGB", (2, 1), "blue")]
    first = Image.new("RGB", (2, 1), RED)
    return encoded(first, form, save_all=True, append_images=more, **options)


U16 = struct.Struct(">H").pack
RIGHT = {
    "16 bits": (encoded(numbers(257, 65535, dtype="u2"), "PNG"), [1, 255]),
    "16 bits, turned": (turned(numbers(257, 65535, dtype="u2"), "PNG"), [255, 1]),
    "colour, turned": (
        turned(Image.fromarray(np.array([[RED, (0, 0, 255)]], "u1")), "PNG"),
        [[0, 0, 255], [255, 0, 0]],
    ),
    "16 bits with a transparent black": (png(16, 0, U16(0) + U16(257), clear=U16(0)), [255, 1]),
    "16 bits of three with a transparent colour": (
        png(16, 2, U16(30000) + bytes(4) + U16(257) * 3, clear=U16(30000) + bytes(4)),
        [[255] * 3, [1] * 3],
    ),
    "8 bits with a transparent black": (png(8, 0, b"\0\7", clear=U16(0)), [255, 7]),
    "4 bits with a transparent grey": (png(4, 0, b"\x30", clear=U16(3)), [255, 0]),
    "2 bits with a transparent grey": (png(2, 0, b"\x40", clear=U16(1)), [255, 0]),
    "1 bit": (png(1, 0, b"\x40"), [0, 255]),
    "1 bit with a transparent black": (png(1, 0, b"\x40", clear=U16(0)), [255, 255]),
    "grey and clear": (encoded(Image.new("LA", (2, 1), (0, 0)), "PNG"), [255, 255]),
    "colour and clear": (encoded(Image.new("RGBA", (2, 1), CLEAR), "WEBP"), [[255] * 3] * 2),
    "a palette with a clear colour": (
        encoded(Image.new("RGBA", (2, 1), CLEAR), "GIF"),
        [[255] * 3] * 2,
    ),
    "a palette": (encoded(Image.new("RGB", (2, 1), RED).convert("P"), "PNG"), [[255, 0, 0]] * 2),
    "four inks": (encoded(Image.new("CMYK", (2, 1), (0, 255, 255, 0)), "TIFF"), [[255, 0, 0]] * 2),
    "floats": (encoded(numbers(0, 0.5, 1, dtype="f4"), "TIFF"), [0, 128, 255]),
    "12 bits": (tiff_of_12_bits(), [255, 8]),
    "16 bits, TIFF": (encoded(numbers(0, 65535, dtype="u2"), "TIFF"), [0, 255]),
    "frames, GIF": (frames("GIF"), [[255, 0, 0]] * 2),
    "frames, WebP": (frames("WEBP", lossless=True), [[255, 0, 0]] * 2),
    "frames, PNG": (frames("PNG"), [[255, 0, 0]] * 2),
    "pages": (frames("TIFF"), [[255, 0, 0]] * 2),
}


@pytest.mark.parametrize(("content", "expected"), RIGHT.values(), ids=RIGHT)
def test_every_kind_of_pixels_is_right(tmp_path: Path, content: bytes, expected: list):
    path = tmp_path / "picture"
    path.write_bytes(content)
    image = open_image(path)
    assert image.mode == ("L" if isinstance(expected[0], int) else "RGB")
    assert np.asarray(image)[0].tolist() == expected


@pytest.mark.parametrize("form", ["JPEG", "MPO", *{"AVIF"}.intersection(FORMATS)])
def test_formats_that_lose_little(tmp_path: Path, form: str):
    (tmp_path / "a.png").write_bytes(encoded(Image.new("RGB", (8, 8), RED), form))
    assert np.abs(np.asarray(open_image(tmp_path / "a.png")).astype(int) - RED).max() < 4


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 32\n%%EndComments\nshowpage\n%%EOF\n"
REFUSED = {
    "nothing": (b"", "it is none of PNG"),
    "text": (b"no image", "it is none of PNG"),
    "PostScript": (EPS, "it is none of PNG"),
    "another format": (encoded(Image.new("RGB", (2, 1)), "PPM"), "it is none of PNG"),
    "no pixels": (png(8, 0, b"", width=0), "it is none of PNG"),
    "floats above 1": (encoded(numbers(0, 200, dtype="f4"), "TIFF"), "floats in [0, 200]"),
    "floats that are none": (encoded(numbers(0, np.nan, dtype="f4"), "TIFF"), "NaN"),
    "32 bits": (encoded(numbers(0, 10**6, dtype="i4"), "TIFF"), "integers of an unknown range"),
    "too many pixels": (png(8, 0, b"", width=10**8), "exceeds limit"),
    "far too many pixels": (png(8, 0, b"", width=10**9), "exceeds limit"),
    **{
        f"a part of {form}": (
            encoded(Image.effect_noise((40, 40), 90).convert("RGB"), form)[:-200],
            "cannot be read",
        )
        for form in FORMATS
    },
}


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED)
def test_others_are_one_line_that_names_the_file(tmp_path: Path, content: bytes, message: str):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(InputError, match="^[^\n]*a.png[^\n]*$") as caught:
        open_image(tmp_path / "a.png")
    assert message in str(caught.value)


def test_postscript_starts_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    program, mark = tmp_path / "gs", tmp_path / "started"
    program.write_text(f'#!/bin/sh\necho 9.50\n[ "$1" = "--version" ] || echo > {mark}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", None)
    (tmp_path / "a.png").write_bytes(EPS)
    with pytest.raises(InputError):
        open_image(tmp_path / "a.png")
    assert not mark.exists()
    with Image.open(tmp_path / "a.png") as picture, pytest.raises(OSError):
        picture.load()
    assert mark.exists()  # so would it have been started


def test_pipes_devices_and_links_to_nothing(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "device.png").symlink_to("/dev/zero")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "round.png").symlink_to(tmp_path / "round.png")
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(InputError, match=path.name):
            open_image(path)


def test_the_content_decides_where_the_suffix_does_not(tmp_path: Path):
    (tmp_path / "picture").write_bytes(encoded(Image.new("L", (2, 2)), "WEBP"))
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "empty.PNG").touch()
    assert [is_image(path) for path in sorted(tmp_path.iterdir())] == [True, False, True]


@pytest.mark.parametrize("form", FORMATS)
def test_damaged_files_are_read_or_refused(tmp_path: Path, form: str):
    whole = encoded(Image.effect_noise((12, 12), 90).convert("RGB"), form)
    path = tmp_path / "a.png"
    chance = random.Random(0)
    for _ in range(60):
        path.write_bytes(mutated(whole[:200], chance) + whole[200:])
        try:
            assert open_image(path).mode in ("L", "RGB")
        except InputError as error:
            assert "a.png" in str(error) and "\n" not in str(error)
