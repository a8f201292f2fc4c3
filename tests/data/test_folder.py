import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_compat import data
from keras_compat.errors import InputError


def write(path: Path, colour: str | int = "red", size: tuple[int, int] = (10, 10), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path)


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Two classes, two train images and one test image each."""
    for split, names in (("train", "ab"), ("test", "c")):
        for name in names:
            write(tmp_path / split / "cat" / f"{name}.png", "red")
            write(tmp_path / split / "dog" / f"{name}.png", "blue")
    return tmp_path


def test_classes_are_the_folders(pets: Path):
    dataset = data.load(f"folder:{pets}")
    assert dataset.class_names == ("cat", "dog")
    assert dataset.image_shape == (10, 10, 3)
    assert dataset.flippable
    assert dataset.train.labels.tolist() == [0, 0, 1, 1]
    assert dataset.train.images[:, 5, 5].tolist() == [[255, 0, 0]] * 2 + [[0, 0, 255]] * 2


@pytest.mark.parametrize("suffix", [".png", ".JPG", ".jfif", ".webp", ".bmp", ".gif", ".TIF"])
def test_every_format(pets: Path, suffix: str):
    form = "JPEG" if suffix == ".jfif" else None
    Image.new("RGB", (10, 10), "red").save(pets / "test" / "cat" / f"z{suffix}", form)
    dataset = data.load(f"folder:{pets}", image_size=8)
    assert len(dataset.test) == 3
    assert np.abs(dataset.test.images[1].astype(int) - [255, 0, 0]).max() < 8


def hidden(pets: Path) -> None:
    """Copies and thumbnails that programs keep."""
    for folder in (
        ".ipynb_checkpoints",
        "@eaDir/a.png",
        "#recycle",
        "#snapshot",
        "more/.thumbnails",
    ):
        write(pets / "train" / "cat" / folder / "a.png")
    (pets / "train" / "cat" / "._a.png").write_bytes(b"no image")
    for split in ("train", "test"):
        write(pets / split / "__MACOSX" / "a.png")


def other_files(pets: Path) -> None:
    (pets / "train" / "cat" / "notes.txt").write_text("x")
    write(pets / "train" / "dog" / "a.ppm")


def outside(pets: Path) -> None:
    write(pets / "train" / "a.png")


@pytest.mark.parametrize(
    ("add", "message"),
    [
        (hidden, r"7 hidden folders \(such as 'train/__MACOSX'\)"),
        (other_files, r"2 files that are no images \(such as 'train/cat/notes.txt'\)"),
        (outside, r"1 file outside of class folders \(such as 'train/a.png'\)"),
    ],
)
def test_what_is_left_out_is_said_in_one_line(pets: Path, add, message: str):
    add(pets)
    with pytest.warns(UserWarning, match=message) as said:
        dataset = data.load(f"folder:{pets}")
    assert len(said) == 1 and "\n" not in str(said[0].message)
    assert dataset.class_names == ("cat", "dog") and len(dataset.train) == 4


def test_hidden_files_are_left_out_without_a_word(pets: Path, recwarn: pytest.WarningsRecorder):
    (pets / "train" / ".DS_Store").write_text("x")
    (pets / "train" / "cat" / ".hidden.png").write_bytes(b"x")
    assert len(data.load(f"folder:{pets}").train) == 4
    assert not recwarn.list


def linked_folder(pets: Path) -> None:
    write(pets / "elsewhere" / "deep" / "z.png")
    (pets / "train" / "cat" / "2024").symlink_to(pets / "elsewhere")


def linked_class(pets: Path) -> None:
    linked_folder(pets)
    shutil.move(pets / "train" / "cat", pets / "cats")
    (pets / "train" / "cat").symlink_to(pets / "cats")


def links_that_lead_back(pets: Path) -> None:
    linked_folder(pets)
    for name, target in {"a": "..", "b": pets, "c": "/", "d": ".", "e": pets / "elsewhere"}.items():
        (pets / "train" / "cat" / name).symlink_to(target)
    (pets / "elsewhere" / "back").symlink_to(pets / "elsewhere")


def many_links(pets: Path) -> None:
    """As many ways as there are atoms in a hand."""
    linked_folder(pets)
    for n in range(40):
        for m in range(4):
            (pets / "elsewhere" / f"{n}").mkdir(exist_ok=True)
            (pets / "elsewhere" / f"{n}" / f"{m}").symlink_to(f"../{n + 1}")
    (pets / "elsewhere" / "40").mkdir()


def folder_named_as_an_image(pets: Path) -> None:
    write(pets / "train" / "cat" / "z.png" / "z.png")


def without_suffix(pets: Path) -> None:
    Image.new("RGB", (10, 10)).save(pets / "train" / "cat" / "z", "WEBP")


@pytest.mark.parametrize(
    "add",
    [
        linked_folder,
        linked_class,
        links_that_lead_back,
        many_links,
        folder_named_as_an_image,
        without_suffix,
    ],
)
def test_images_are_found_wherever_they_are_once(pets: Path, add: Callable[[Path], None]):
    add(pets)
    dataset = data.load(f"folder:{pets}")
    assert np.bincount(dataset.train.labels).tolist() == [3, 2]


def test_one_name_written_in_two_ways_is_one_class(pets: Path):
    composed, apart = "caf\u00e9", "cafe\u0301"
    (pets / "train" / "cat").rename(pets / "train" / composed)
    (pets / "test" / "cat").rename(pets / "test" / apart)
    write(pets / "train" / apart / "z.png")
    write(pets / "train" / "Dog" / "z.png")
    write(pets / "test" / "Dog" / "z.png")
    dataset = data.load(f"folder:{pets}")
    assert dataset.class_names == ("Dog", composed, "dog")
    assert np.bincount(dataset.train.labels).tolist() == [1, 3, 2]


@pytest.mark.parametrize(
    "name", [b"caf\xe9", b"two\nlines", b"\x1b[31m", "\u202e".encode(), b"c" * 201]
)
def test_class_names_that_cannot_be_saved_are_refused_before_images_are_read(
    pets: Path, name: bytes
):
    for split in ("train", "test"):
        os.rename(pets / split / "cat", os.fsencode(pets / split) + b"/" + name)
    (pets / "train" / "dog" / "a.png").write_bytes(b"no image")
    with pytest.raises(InputError, match="^[^\n]*rename the class$"):
        data.load(f"folder:{pets}")


@pytest.mark.parametrize("name", [b"caf\xe9", b"$x_{a}", b"two\nlines", b"\xff" * 200])
def test_folders_of_any_name_are_read(pets: Path, name: bytes):
    folder = os.fsencode(pets) + b"/" + name
    os.mkdir(folder)
    for split in ("train", "test"):
        shutil.move(pets / split, os.fsdecode(folder))
    dataset = data.load(f"folder:{os.fsdecode(folder)}")
    assert dataset.name.isprintable() and 1 <= len(dataset.name) <= 200


def test_dark_photographs_are_as_they_are(pets: Path):
    for path in pets.rglob("*.png"):
        write(path, (9, 8, 7))
    with pytest.warns(UserWarning, match="^the highest pixel of all images in .* is 9 of 255"):
        assert data.load(f"folder:{pets}").train.images.max() == 9


def test_test_images_of_another_range_are_named(pets: Path):
    for path in (pets / "test").rglob("*.png"):
        write(path, 4095, mode="I;16")
    with pytest.warns(UserWarning, match="in '.*test' is 16 of 255; if they hold other values"):
        data.load(f"folder:{pets}")


def test_grey_folders_stay_grey_until_one_image_is_in_colour(tmp_path: Path):
    for split in ("train", "test"):
        write(tmp_path / split / "cat" / "a.png", 7, mode="L")
        write(tmp_path / split / "dog" / "a.png", 65535, mode="I;16")
    dataset = data.load(f"folder:{tmp_path}")
    assert dataset.image_shape == (10, 10, 1)
    assert dataset.train.images[:, 0, 0, 0].tolist() == [7, 255]
    write(tmp_path / "train" / "dog" / "b.png")
    assert data.load(f"folder:{tmp_path}").image_shape == (10, 10, 3)
    assert data.load(f"folder:{tmp_path}", channels=1).image_shape == (10, 10, 1)


def cut(name):
    def spoil(pets: Path) -> None:
        (pets / name).write_bytes((pets / name).read_bytes()[:50])

    return spoil


def in_both(change: Callable[[Path], object]) -> Callable[[Path], None]:
    return lambda pets: [change(pets / split) for split in ("train", "test")]


def no_classes(pets: Path) -> None:
    (pets / "train").rename(pets / "gone")
    (pets / "train").mkdir()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (cut("train/dog/b.png"), "dog/b.png' cannot be read"),
        (cut("train/cat/a.png"), "cat/a.png' cannot be read"),
        (
            lambda pets: (pets / "test/dog/c.png").write_bytes(b"not an image"),
            "dog/c.png' cannot be read",
        ),
        (lambda pets: (pets / "test").rename(pets / "tset"), "test' does not exist"),
        (lambda pets: (pets / "train/emu").mkdir(), "emu' has no images"),
        (
            in_both(lambda split: write(split / "emu" / "a.ppm")),
            "left out: 1 file that is no image (such as 'train/emu/a.ppm')",
        ),
        (
            in_both(lambda split: (split / "dog").rename(split / "@dog")),
            "one class (cat); expected at least two folders; left out: 2 hidden",
        ),
        (
            lambda pets: (pets / "test/dog").rename(pets / "test/emu"),
            "different class folders: dog, emu",
        ),
        (in_both(lambda split: shutil.rmtree(split / "dog")), "one class (cat)"),
        (no_classes, "no class folders"),
        (
            lambda pets: write(pets / "test/dog/c.png", size=(10, 12)),
            "is 12 x 10 where others are 10 x 10; expected one size: give an image_size",
        ),
    ],
)
def test_bad_folders_are_one_line(
    pets: Path, spoil, message: str, recwarn: pytest.WarningsRecorder
):
    spoil(pets)
    with pytest.raises(InputError, match="^[^\n]*$") as caught:
        data.load(f"folder:{pets}")
    assert message in str(caught.value)
    assert not recwarn.list
