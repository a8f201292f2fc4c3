"""Images without labels: of folders that nobody sorted, and of sets whose labels are dropped."""

import numpy as np
import pytest

from keras_compat.data import (
    Examples,
    UnlabelledImages,
    is_unlabelled,
    load_images,
)
from keras_compat.data.options import LoadOptions
from keras_compat.errors import InputError
from tests.data.test_folder import write


def test_all_images_of_a_folder_are_read_at_any_depth_in_the_order_of_their_paths(tmp_path):
    write(tmp_path / "b.png", 2, (4, 4), "L")
    write(tmp_path / "a" / "deep" / "z.png", 1, (4, 4), "L")
    (tmp_path / "notes.txt").write_text("no image")
    spec = f"folder:{tmp_path}"
    assert is_unlabelled(spec)
    found = load_images(spec, LoadOptions())
    assert found.name == tmp_path.name
    assert found.images.images[:, 0, 0, 0].tolist() == [1, 2]
    assert found.images.labels.tolist() == [-1, -1]
    assert found.image_shape == (4, 4, 1) and not found.flippable


def test_colour_and_size_are_those_asked_for(tmp_path):
    write(tmp_path / "a.png", size=(6, 8))
    write(tmp_path / "b.png", 7, (3, 3), "L")
    found = load_images(f"folder:{tmp_path}", LoadOptions(image_size=2))
    assert found.image_shape == (2, 2, 3) and found.flippable
    with pytest.raises(InputError, match="give an image_size"):
        load_images(f"folder:{tmp_path}", LoadOptions())


def test_labels_and_no_images_are_refused(tmp_path):
    images = np.zeros((2, 4, 4, 1), "uint8")
    with pytest.raises(InputError, match=r"has labels; expected images without \(-1\)"):
        UnlabelledImages("a", Examples(images, np.array([-1, 0])), False)
    with pytest.raises(InputError, match="has no images; expected at least one"):
        UnlabelledImages("a", Examples(images[:0], np.empty(0, int)), False)
    with pytest.raises(InputError, match="has no images; expected files ending in .png"):
        load_images(f"folder:{tmp_path}", LoadOptions())
    with pytest.raises(InputError, match="does not exist; expected a folder of images"):
        load_images(f"folder:{tmp_path / 'no'}", LoadOptions())


def test_images_that_do_not_fit_into_memory_are_refused(tmp_path):
    write(tmp_path / "a.png", 1)
    with pytest.raises(InputError, match="give a smaller image_size"):
        load_images(f"folder:{tmp_path}", LoadOptions(memory_limit_bytes=3))
