from __future__ import annotations

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
    assert dataset.photographs
    assert dataset.train.labels.tolist() == [0, 0, 1, 1]
    assert dataset.train.images[:, 5, 5].tolist() == [[255, 0, 0]] * 2 + [[0, 0, 255]] * 2


@pytest.mark.parametrize("suffix", [".png", ".JPG", ".jpeg", ".webp", ".bmp", ".gif"])
def test_every_format(pets: Path, suffix: str):
    write(pets / "test" / "cat" / f"z{suffix}", "red")
    dataset = data.load(f"folder:{pets}", image_size=8)
    assert len(dataset.test) == 3
    assert np.abs(dataset.test.images[1].astype(int) - [255, 0, 0]).max() < 8


def test_files_that_are_no_images_are_passed_over(pets: Path):
    (pets / "train" / "cat" / ".hidden.png").write_bytes(b"x")
    (pets / "train" / "cat" / "notes.txt").write_text("x")
    (pets / "train" / "readme.txt").write_text("x")
    (pets / "train" / ".git").mkdir()
    assert len(data.load(f"folder:{pets}").train) == 4


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


def test_transparency_is_white_and_the_camera_upright(pets: Path):
    write(pets / "test" / "cat" / "clear.png", (0, 0, 0, 0), mode="RGBA")
    photo = Image.new("RGB", (10, 10), "black")
    photo.paste("white", (0, 0, 10, 5))
    exif = Image.Exif()
    exif[0x0112] = 3  # taken upside down
    photo.save(pets / "test" / "dog" / "turned.png", exif=exif)
    test = data.load(f"folder:{pets}").test
    assert (test.images[1] == 255).all()
    assert test.images[3, :, 0, 0].tolist() == [0] * 5 + [255] * 5


def corrupt(pets: Path) -> None:
    path = pets / "train" / "dog" / "b.png"
    path.write_bytes(path.read_bytes()[:50])


def corrupt_first(pets: Path) -> None:
    path = pets / "train" / "cat" / "a.png"
    path.write_bytes(path.read_bytes()[:50])


def no_header(pets: Path) -> None:
    (pets / "test" / "dog" / "c.png").write_bytes(b"not an image")


def no_test(pets: Path) -> None:
    (pets / "test").rename(pets / "tset")


def empty_class(pets: Path) -> None:
    (pets / "train" / "emu").mkdir()


def other_class(pets: Path) -> None:
    (pets / "test" / "dog").rename(pets / "test" / "emu")


def one_class(pets: Path) -> None:
    for split in ("train", "test"):
        (pets / split / "dog").rename(pets / f"{split}-dog")


def no_classes(pets: Path) -> None:
    (pets / "train").rename(pets / "gone")
    (pets / "train").mkdir()


def other_size(pets: Path) -> None:
    write(pets / "test" / "dog" / "c.png", size=(10, 12))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (corrupt, "dog/b.png' cannot be read"),
        (corrupt_first, "cat/a.png' cannot be read"),
        (no_header, "dog/c.png' cannot be read"),
        (no_test, "test' does not exist"),
        (empty_class, "emu' has no images"),
        (other_class, "different class folders: dog, emu"),
        (one_class, "one class (cat)"),
        (no_classes, "no class folders"),
        (other_size, "is 12 x 10 where others are 10 x 10; expected one size: give an image_size"),
    ],
)
def test_bad_folders_are_one_line(pets: Path, spoil, message: str):
    spoil(pets)
    with pytest.raises(InputError, match="^[^\n]*$") as caught:
        data.load(f"folder:{pets}")
    assert message in str(caught.value)


def test_a_missing_folder(tmp_path: Path):
    with pytest.raises(InputError, match="does not exist"):
        data.load(f"folder:{tmp_path / 'nowhere'}")


def test_more_pixels_than_memory(pets: Path):
    with pytest.raises(InputError, match="smaller image_size"):
        data.load(f"folder:{pets}", memory_limit_bytes=1000)
