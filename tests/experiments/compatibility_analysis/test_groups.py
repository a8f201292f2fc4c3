"""The data of a group: the common classes first, in one order for all."""

from dataclasses import replace

import numpy as np
import pytest

from keras_compat.errors import InputError
from keras_compat.experiments.compatibility_analysis.groups import load_group, load_pretraining_data
from tests.experiments.two_sets import ANIMALS, MORE, THINGS, make_config, write_set


def test_common_classes_have_the_same_labels_everywhere(tmp_path):
    group = load_group(make_config(tmp_path))
    names = [dataset.class_names for dataset in group.datasets.values()]
    assert group.common == 3
    assert names == [("cat", "dog", "automobile", "frog"), ("cat", "dog", "car", "ship")]
    with np.load(tmp_path / "things.npz") as written:
        images = group.datasets["things"].test
        expected = [THINGS[label] for label in written["y_test"][:4]]
    assert [names[1][label] for label in images.labels[:4]] == expected


def test_three_sets_have_in_common_what_all_have(tmp_path):
    config = make_config(tmp_path)
    more = write_set(tmp_path / "more.npz", MORE, images=(50, 60), seed=2)
    config = make_config(tmp_path, datasets=(*config.datasets, more))
    group = load_group(config)
    assert list(group.datasets) == ["animals", "things", "more"]
    assert group.common == 2
    assert {d.class_names[:2] for d in group.datasets.values()} == {("cat", "dog")}


def test_one_set_for_all_networks_is_told_apart_by_letters(tmp_path):
    group = load_group(make_config(tmp_path), same_data=True)
    assert list(group.datasets) == ["animals_a", "animals_b"]
    assert group.common == len(ANIMALS)


def test_networks_of_the_same_set_share_one_copy(tmp_path):
    config = make_config(tmp_path)
    one = replace(config, datasets=(config.datasets[0],) * 30)
    group = load_group(one)
    assert list(group.datasets)[::29] == ["animals_a", "animals_ad"]
    assert len({id(dataset) for dataset in group.datasets.values()}) == 1


def test_names_that_cannot_be_told_apart_are_refused(tmp_path):
    config = make_config(tmp_path)
    other = write_set(tmp_path / "animals_a.npz", ANIMALS)
    with pytest.raises(InputError, match="rename a data file"):
        load_group(replace(config, datasets=(*[config.datasets[0]] * 2, other)))


def test_a_set_is_read_once_in_a_process(tmp_path):
    config = make_config(tmp_path)
    load_group(config)
    (tmp_path / "animals.npz").unlink()
    assert list(load_group(config, same_data=True).datasets) == ["animals_a", "animals_b"]


@pytest.mark.parametrize(
    ("names", "shape", "message"),
    [
        (("moon", "sun"), (8, 8, 1), r"0 classes in common \(animals: cat.*odd: moon, sun\)"),
        (("cat", "sun"), (8, 8, 1), "1 classes in common"),
        (THINGS, (8, 8, 3), "images of 1 channels, odd of 3; make them alike with --channels"),
    ],
)
def test_data_that_do_not_fit_are_refused(tmp_path, names, shape, message):
    config = make_config(tmp_path)
    odd = write_set(tmp_path / "odd.npz", names, shape=shape)
    with pytest.raises(InputError, match=message):
        load_group(make_config(tmp_path, datasets=(config.datasets[0], odd)))


def test_sizes_that_differ_are_refused(tmp_path):
    config = make_config(tmp_path)
    odd = write_set(tmp_path / "odd.npz", THINGS, shape=(10, 10, 1))
    with pytest.raises(InputError, match="make them alike with --image_size"):
        load_group(make_config(tmp_path, datasets=(config.datasets[0], odd), image_size=None))


def test_fewer_test_images_than_a_batch_are_refused(tmp_path):
    with pytest.raises(InputError, match="animals has 30 test images of the common classes, fewer"):
        load_group(make_config(tmp_path, evaluation_batch_size=31))


def test_aliases_make_classes_common(tmp_path):
    group = load_group(make_config(tmp_path, aliases={"ship": "frog"}))
    assert group.common == 4


def test_images_to_start_from_must_have_the_same_shape(tmp_path):
    coloured = write_set(tmp_path / "coloured.npz", MORE, shape=(8, 8, 3))
    with pytest.raises(InputError, match="channels"):
        load_pretraining_data(make_config(tmp_path, pretraining_dataset=coloured))
