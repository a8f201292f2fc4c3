import io
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from keras_compat import data
from keras_compat.errors import InputError


def arrays(**changes) -> dict[str, np.ndarray]:
    """A sound file of two classes, with some arrays replaced or, by `None`, left out."""
    random = np.random.default_rng(0)
    sound = {
        "x_train": random.integers(0, 256, (6, 8, 8, 3), np.uint8),
        "y_train": np.array([0, 1, 0, 1, 0, 1]),
        "x_test": random.integers(0, 256, (4, 8, 8, 3), np.uint8),
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
        ({"classes": np.array(["caf\udce9", "b"])}, "rename the class"),
        ({"classes": np.array(["two\nlines", "b"])}, "rename the class"),
        ({"classes": np.array(["e\u0301", "\u00e9"])}, "occur twice"),
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
        ({"y_train": np.array([0, 1, 0, 1, 0, 2])}, "train label 2; expected 0 to 1"),
        ({"y_train": np.array([0, 1, 0, 1, 0, -1])}, "label -1"),
        ({"y_test": np.zeros(4, int)}, "'dog' is in one of them only"),
        ({"y_test": np.array([0, 1, 0, 2]), "classes": None}, "test label 2"),
        ({"y_train": np.zeros(6, int), "y_test": np.zeros(4, int), "classes": None}, "one class"),
        ({"x_test": np.zeros((4, 9, 9, 3), np.uint8)}, "expected one shape"),
        ({"x_train": np.zeros((0, 8, 8, 3)), "y_train": np.zeros(0, int)}, "no train images"),
    ],
)
def test_bad_files_are_one_line(tmp_path: Path, changes: dict, message: str):
    with pytest.raises(InputError, match="^[^\n]*$") as caught:
        load(tmp_path, arrays(**changes))
    assert message in str(caught.value)


@pytest.mark.parametrize("contents", [b"", b"no zip", b"PK\x03\x04 broken"])
def test_files_that_are_no_npz(tmp_path: Path, contents: bytes):
    path = tmp_path / "bad.npz"
    path.write_bytes(contents)
    with pytest.raises(InputError, match="bad.npz"):
        data.load(f"npz:{path}")


def test_members_that_are_no_arrays(tmp_path: Path):
    np.savez(tmp_path / "bad.npz", **arrays(y_test=None))
    with zipfile.ZipFile(tmp_path / "bad.npz", "a") as file:
        file.writestr("y_test.npy", b"0 1 0 1")
    with pytest.raises(InputError, match="y_test in .* is no NumPy array"):
        data.load(f"npz:{tmp_path / 'bad.npz'}")


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def with_header(text: str, content: bytes = b"", version: bytes = b"\1\0") -> bytes:
    length = struct.pack("<H" if version == b"\1\0" else "<I", len(text))
    return b"\x93NUMPY" + version + length + text.encode() + content


def zipped(compression: int = zipfile.ZIP_STORED, **members: bytes | None) -> bytearray:
    """An archive of two classes, with some members replaced."""
    buffer = io.BytesIO()
    content = {**{key: npy(array) for key, array in arrays().items()}, **members}
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
        file.writestr("x_train.npy", npy(np.zeros((6, 8, 8, 3), np.uint8)))
    return buffer.getvalue()


def header(descr: str = "'|u1'", order: str = "False", shape: str = "(6, 8, 8, 3)") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n"


PIXELS = bytes(range(192)) * 6
SPOILED = {
    "encrypted": patched(zipped(), 6, 1),
    "of another compression": patched(zipped(), 8, 9),
    "of no compression": patched(zipped(), 8, 12345),
    "a member twice": twice(),
    "a single array": npy(np.zeros(3)),
    "a header of brackets": zipped(x_train=with_header("(" * 9000)),
    "a header of signs": zipped(x_train=with_header("-" * 9000 + "1")),
    "a header of a number": zipped(x_train=with_header(header(shape=f"({'9' * 5000},)"))),
    "a header that ends in a string": zipped(x_train=with_header("{'descr': '''")),
    "a header of a program": zipped(x_train=with_header("__import__('os').abort()")),
    "a header too long": zipped(x_train=with_header(header() + " " * 20_000)),
    "a header without a shape": zipped(x_train=with_header("{'descr': '|u1'}")),
    "a header that is cut off": zipped(x_train=b"\x93NUMPY\1\0\xff\xff{'descr'"),
    "a version of the future": zipped(x_train=with_header(header(), PIXELS, b"\4\0")),
    "a shape of booleans": zipped(x_train=with_header(header(shape="(True, 8, 8, 3)"), PIXELS)),
    "a negative shape": zipped(x_train=with_header(header(shape="(-6, 8, 8, 3)"), PIXELS)),
    "a shape beyond memory": zipped(x_train=with_header(header(shape=f"({10**15}, 8, 8, 3)"))),
    "a shape beyond numbers": zipped(x_train=with_header(header(shape=f"({10**18}, 9, 99, 3)"))),
    "a shape of a hundred axes": zipped(x_train=with_header(header(shape=f"({'1, ' * 100})"))),
    "more bytes than said": zipped(x_train=with_header(header(), PIXELS + b"x")),
    "fewer bytes than said": zipped(x_train=with_header(header(), PIXELS[:-1])),
    "a table of fields": zipped(x_train=with_header(header("[('a', '<i4'), ('b', '<i4')]"))),
    "an unknown type": zipped(x_train=with_header(header("'<u3'"), PIXELS * 3)),
    "a type of several": zipped(x_train=with_header(header("'u1,u1'"), PIXELS * 2)),
    "a type of no bytes": zipped(classes=with_header(header("'|S0'", shape="(2,)"))),
    "names of no bytes without end": zipped(
        classes=with_header(header("'|S0'", shape=f"({10**12},)"))
    ),
    "pickled objects": zipped(x_train=with_header(header("'|O'", shape="(6,)"))),
    "a name beyond Unicode": zipped(
        classes=with_header(header("'<U1'", shape="(2,)"), struct.pack("<II", 0x110000, 98))
    ),
    "no members": zipped(**dict.fromkeys(arrays())),
    "paths": zipped(
        **dict.fromkeys(arrays()), **{f"../{key}": npy(a) for key, a in arrays().items()}
    ),
}


@pytest.mark.parametrize("content", SPOILED.values(), ids=SPOILED)
def test_spoiled_archives_are_one_line_that_names_the_file(tmp_path: Path, content: bytes):
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(InputError, match="^[^\n]*bad.npz[^\n]*$"):
        data.load(f"npz:{tmp_path / 'bad.npz'}")


@pytest.mark.parametrize(
    "member",
    [
        with_header(header(), PIXELS, b"\2\0"),
        with_header(header(), PIXELS, b"\3\0"),
        with_header(header(shape="(6L, 8L, 8L, 3L)"), PIXELS),
        with_header('{"shape":(6,8,8,3),"fortran_order":False,"descr":"|u1"}', PIXELS),
        with_header(header(order="True", shape="(3, 8, 8, 6)"), PIXELS),
    ],
)
def test_every_way_to_write_a_header(tmp_path: Path, member: bytes):
    shape = (6, 8, 8, 3)
    pixels = np.frombuffer(PIXELS, np.uint8)
    expected = pixels.reshape(shape)
    if b"True" in member:
        member = with_header(header(order="True"), PIXELS)
        expected = pixels.reshape(shape, order="F")
    (tmp_path / "a.npz").write_bytes(zipped(x_train=member))
    np.testing.assert_array_equal(data.load(f"npz:{tmp_path / 'a.npz'}").train.images, expected)


@pytest.mark.parametrize(
    "compression",
    [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA],
)
def test_damaged_archives_are_refused_or_right(tmp_path: Path, compression: int):
    whole, contents, path = zipped(compression), arrays(), tmp_path / "a.npz"
    outcomes = set()
    for seed in range(150):
        random = np.random.default_rng(seed)
        content = bytearray(whole)
        place, count = int(random.integers(len(content))), int(random.integers(1, 40))
        match seed % 4:
            case 0:
                content[place] ^= 1 << int(random.integers(8))
            case 1:
                content[-1 - place % 700] = int(random.integers(256))
            case 2:
                del content[place : place + count]
            case 3:
                content[place:place] = random.bytes(count)
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
    words = [b"True", b"-1", b"(", b"'", b"{", b"descr", b",", b"9" * 30, b"<U1", b"|O", b"<M8"]
    keys = sorted(arrays())
    for seed in range(300):
        random = np.random.default_rng(seed)
        key, word = keys[seed % len(keys)], words[seed % len(words)]
        member = bytearray(npy(arrays()[key]))
        place = int(random.integers(100))
        member[place : place + len(word)] = word
        (tmp_path / "a.npz").write_bytes(zipped(**{key: bytes(member)}))
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


def test_a_truncated_file(tmp_path: Path):
    np.savez_compressed(tmp_path / "whole.npz", **arrays())
    whole = (tmp_path / "whole.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="cut.npz"):
        data.load(f"npz:{tmp_path / 'cut.npz'}")


def test_a_single_array(tmp_path: Path):
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(InputError, match="single array"):
        data.load(f"npz:{tmp_path / 'one.npy'}")
