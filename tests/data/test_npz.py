import io
import os
import random
import re
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from keras_compat import data
from keras_compat.errors import InputError
from tests.attacks.npy import bad_files, header, npy
from tests.store.test_mutations import mutated


def arrays(**changes) -> dict[str, np.ndarray]:
    """A sound file of two classes, with some arrays replaced or, by `None`, left out."""
    pixels = np.random.default_rng(0)
    sound = {
        "x_train": pixels.integers(0, 256, (6, 8, 8, 3), np.uint8),
        "y_train": np.array([0, 1, 0, 1, 0, 1]),
        "x_test": pixels.integers(0, 256, (4, 8, 8, 3), np.uint8),
        "y_test": np.array([1, 0, 1, 0]),
        "classes": np.array(["cat", "dog"]),
    }
    return {k: v for k, v in {**sound, **changes}.items() if v is not None}


def load(folder: Path, contents: dict[str, np.ndarray], **options) -> data.ImageDataset:
    np.savez(folder / "pets.npz", **contents)
    return data.load(f"npz:{folder / 'pets.npz'}", **options)


def test_arrays_come_as_they_are(tmp_path: Path):
    contents = arrays()
    dataset = load(tmp_path, contents)
    np.testing.assert_array_equal(dataset.train.images, contents["x_train"])
    np.testing.assert_array_equal(dataset.test.labels, contents["y_test"])
    assert dataset.name == "pets"
    assert dataset.class_names == ("cat", "dog")
    assert dataset.flippable


def test_the_older_name_of_the_class_names(tmp_path: Path):
    contents = arrays(classes=None, class_names=np.array([b"cat", b"dog"]))
    assert load(tmp_path, contents).class_names == ("cat", "dog")


def test_without_class_names_classes_are_numbers_and_nothing_is_mirrored(tmp_path: Path):
    dataset = load(tmp_path, arrays(classes=None))
    assert dataset.class_names == ("0", "1")
    assert not dataset.flippable


def test_floats_grey_images_and_label_columns(tmp_path: Path):
    dataset = load(
        tmp_path,
        arrays(
            x_train=np.linspace(0, 1, 6 * 25).reshape(6, 5, 5),
            x_test=np.zeros((4, 5, 5), np.int32),
            y_train=np.array([[0], [1], [0], [1], [0], [1]], np.uint8),
        ),
        image_size=10,
    )
    assert dataset.image_shape == (10, 10, 1)
    assert dataset.train.images.max() == 255


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_test": None, "y_test": None}, "has no x_test, y_test"),
        ({"x_train": np.full((6, 8, 8, 3), np.nan)}, "NaN"),
        ({"x_test": np.full((4, 8, 8, 3), 16)}, "x_test in"),
        ({"x_train": np.zeros((6, 8, 8, 2), np.uint8)}, "shape (6, 8, 8, 2)"),
        ({"x_train": np.zeros((6, 3, 8, 8), np.uint8)}, "channels last"),
        ({"x_train": np.zeros((6, 0, 8, 3), np.uint8)}, "shape (6, 0, 8, 3)"),
        ({"x_train": np.zeros((6, 1, 8, 8, 3), np.uint8)}, "shape (6, 1, 8, 8, 3)"),
        ({"x_train": np.array(3)}, "shape ()"),
        ({"classes": np.array([b"caf\xe9", b"b"])}, "not UTF-8"),
        ({"classes": np.array(["two\nlines", "b"])}, "rename the class"),
        ({"classes": np.zeros((10**6, 2), "S1")}, "has 2000000 classes"),
        (
            {"y_train": np.array([0, 1, 0, 1, 0, 10**9]), "classes": None},
            "has 1000000001 classes; expected 100000 at most",
        ),
        ({"x_train": np.zeros((6, 64), np.uint8)}, "shape (6, 64)"),
        ({"x_train": np.zeros((5, 8, 8, 3), np.uint8)}, "5 images in x_train but 6 labels"),
        ({"x_train": np.array([None] * 6), "y_train": None}, "has no y_train"),
        ({"x_train": np.array([None] * 6)}, "pickled objects, which are refused"),
        ({"classes": np.array(["cat", "dog"], object)}, "pickled objects"),
        ({"classes": np.array([1, 2])}, "expected strings"),
        ({"y_train": np.array([0.0, 1, 0, 1, 0, 1])}, "y_train"),
        ({"y_test": np.array([0, 1, 0, 2]), "classes": None}, "test label 2"),
    ],
)
def test_bad_files_are_one_line(tmp_path: Path, changes: dict, message: str):
    with pytest.raises(InputError, match="^[^\n]*$") as caught:
        load(tmp_path, arrays(**changes))
    assert message in str(caught.value)


def of_array(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def zipped(compression: int = zipfile.ZIP_STORED, **members: bytes | None) -> bytearray:
    """An archive of two classes, with some members replaced."""
    buffer = io.BytesIO()
    content = {**{key: of_array(array) for key, array in arrays().items()}, **members}
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for key, member in content.items():
            if member is not None:
                file.writestr(f"{key}.npy", member)
    return bytearray(buffer.getvalue())


def patched(archive: bytearray, field: int, value: int) -> bytearray:
    """Sets a field of two bytes of every member, in both places where an archive has it."""
    for sign, place in ((b"PK\3\4", field), (b"PK\1\2", field + 2)):
        start = -1
        while (start := archive.find(sign, start + 1)) >= 0:
            struct.pack_into("<H", archive, start + place, value)
    return archive


def twice() -> bytes:
    buffer = io.BytesIO(zipped())
    with zipfile.ZipFile(buffer, "a") as file, pytest.warns(UserWarning, match="Duplicate"):
        file.writestr("x_train.npy", of_array(np.zeros(SHAPE, np.uint8)))
    return buffer.getvalue()


SHAPE = (6, 8, 8, 3)
PIXELS = bytes(range(192)) * 6
SPOILED = {
    "nothing": b"",
    "no zip": b"no zip",
    "a sign alone": b"PK\x03\x04 broken",
    "half a file": zipped(zipfile.ZIP_DEFLATED)[:900],
    "encrypted": patched(zipped(), 6, 1),
    "of another compression": patched(zipped(), 8, 9),
    "of no compression": patched(zipped(), 8, 12345),
    "a member twice": twice(),
    "a single array": of_array(np.zeros(3)),
    "a member that is no array": zipped(y_test=b"0 1 0 1"),
    **{f"images: {name}": zipped(x_train=npy) for name, npy in bad_files(SHAPE, PIXELS).items()},
    "a shape of a hundred axes": zipped(x_train=npy(header(f"({'1, ' * 100})"))),
    "a header too long": zipped(x_train=npy(header(SHAPE) + " " * 20_000)),
    "more bytes than said": zipped(x_train=npy(header(SHAPE), PIXELS + b"x")),
    "a type of no bytes": zipped(classes=npy(header((2,), "'|S0'"))),
    "names of no bytes without end": zipped(classes=npy(header((10**12,), "'|S0'"))),
    "a name beyond Unicode": zipped(
        classes=npy(header((2,), "'<U1'"), struct.pack("<II", 0x110000, 98))
    ),
    "no members": zipped(**dict.fromkeys(arrays())),
    "paths": zipped(
        **dict.fromkeys(arrays()), **{f"../{key}": of_array(a) for key, a in arrays().items()}
    ),
}
REASONS = {
    "a single array": "single array",
    "a member that is no array": "y_test in .* is no NumPy array",
}


@pytest.mark.parametrize("name", SPOILED)
def test_spoiled_archives_are_one_line_that_names_the_file(tmp_path: Path, name: str):
    (tmp_path / "bad.npz").write_bytes(SPOILED[name])
    with pytest.raises(InputError, match="^[^\n]*bad.npz[^\n]*$") as caught:
        data.load(f"npz:{tmp_path / 'bad.npz'}")
    assert re.search(REASONS.get(name, ""), str(caught.value))


@pytest.mark.parametrize(
    "member",
    [
        npy(header(SHAPE), PIXELS, b"\2\0"),
        npy(header(SHAPE), PIXELS, b"\3\0"),
        npy(header("(6L, 8L, 8L, 3L)"), PIXELS),
        npy('{"shape":(6,8,8,3),"fortran_order":False,"descr":"|u1"}', PIXELS),
        npy(header(SHAPE, order="True"), PIXELS),
    ],
)
def test_every_way_to_write_a_header(tmp_path: Path, member: bytes):
    order = "F" if b"True" in member else "C"
    expected = np.frombuffer(PIXELS, np.uint8).reshape(SHAPE, order=order)
    (tmp_path / "a.npz").write_bytes(zipped(x_train=member))
    np.testing.assert_array_equal(data.load(f"npz:{tmp_path / 'a.npz'}").train.images, expected)


@pytest.mark.parametrize(
    "compression",
    [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA],
)
def test_damaged_archives_are_refused_or_right(tmp_path: Path, compression: int):
    whole, contents, path = zipped(compression), arrays(), tmp_path / "a.npz"
    outcomes, chance = set(), random.Random(0)
    for _ in range(150):
        content = mutated(whole, chance)
        path.write_bytes(content)
        try:
            dataset = data.load(f"npz:{path}")
        except InputError as error:
            assert "a.npz" in str(error) and "\n" not in str(error)
            outcomes.add("refused")
        else:
            np.testing.assert_array_equal(dataset.train.images, contents["x_train"])
            np.testing.assert_array_equal(dataset.test.images, contents["x_test"])
            np.testing.assert_array_equal(dataset.train.labels, contents["y_train"])
            assert dataset.class_names == ("cat", "dog")
            outcomes.add("right")
    assert outcomes == {"refused", "right"}


def test_damaged_headers_are_refused_or_read(tmp_path: Path):
    chance = random.Random(0)
    for _ in range(300):
        key, array = chance.choice(list(arrays().items()))
        whole = of_array(array)
        member = mutated(whole[:128], chance) + whole[128:]
        (tmp_path / "a.npz").write_bytes(zipped(**{key: member}))
        try:
            data.load(f"npz:{tmp_path / 'a.npz'}")
        except InputError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("options", "change"),
    [
        ({"memory_limit_bytes": 10**6}, {"x_train": np.zeros((99, 64, 64, 3), np.uint8)}),
        ({"memory_limit_bytes": 2**30, "image_size": 8192}, {}),
        ({"memory_limit_bytes": 10**4}, {"x_train": np.zeros((6, 8, 8, 3))}),
    ],
)
def test_memory_is_looked_at_before_anything_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict, change: dict
):
    np.savez_compressed(tmp_path / "a.npz", **arrays(**change))
    monkeypatch.setattr("keras_compat.data.npz_file.NpzFile.read", None)
    with pytest.raises(InputError, match="arrays in .*a.npz' take .* GiB; the limit is"):
        data.load(f"npz:{tmp_path / 'a.npz'}", **options)


def test_a_pipe_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "a.npz")
    with pytest.raises(InputError, match="no plain file"):
        data.load(f"npz:{tmp_path / 'a.npz'}")
