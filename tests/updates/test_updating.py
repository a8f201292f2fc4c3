"""Updates as a job: what is wrong is told before a data set is read."""

import numpy as np
import pytest

from keras_compat import networks
from keras_compat.data import Examples
from keras_compat.data.options import LoadOptions
from keras_compat.errors import InputError
from keras_compat.experiments.components import updating
from keras_compat.store import Component, Reference, Store, pack
from keras_compat.updates import making
from tests.updates import made

pytestmark = pytest.mark.once
HEAD, EXTRACTOR = Reference("head", "1"), Reference("extractor", "1")
ARCHITECTURE = "resnet8:filters=4@stage2"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    found = Store(tmp_path_factory.mktemp("store"))
    head = networks.build_head(ARCHITECTURE, input_channels=2, classes=3, seed=0)
    component = Component(head=head, head_architecture=ARCHITECTURE, class_names=made.NAMES)
    found.publish(HEAD, pack(component))
    return found


def update(store, folder, **changes):
    given = {"number": 4, "spec": "digits", "least_accuracy": 0.0, "overwrite": False}
    how = {"images_spec": None, "count": 10, "options": LoadOptions(), "component": True}
    archive = changes.pop("archive", folder.with_name("4.zip"))
    return updating.update(store, HEAD, archive, [folder], **{**given, **how, **changes})


def test_numbers_and_paths_are_checked_first(store, tmp_path, monkeypatch):
    monkeypatch.setattr(updating, "unlabelled", None)
    device = made.device(tmp_path / "phone", families=[])
    (tmp_path / "file").touch()
    (tmp_path / "4-phone.zip").touch()
    for changes, message in (
        ({"number": 0}, "number is 0"),
        ({"archive": tmp_path / "file" / "4.zip"}, "4.zip cannot be written: .*file is no folder"),
        ({"archive": tmp_path / "file/more/4.zip"}, "cannot be written: .*file is no folder"),
        ({}, "4-phone.zip exists"),
    ):
        with pytest.raises(InputError, match=message):
            update(store, device, **changes)
    with pytest.raises(InputError, match="phone cannot be written: .*file is no folder"):
        updating.install(
            store,
            EXTRACTOR,  # which the store does not even have
            tmp_path / "file" / "phone",
            updates="animals",
            quantization="float32",
            spec=None,
            count=10,
            options=LoadOptions(),
            overwrite=False,
        )


def test_test_images_that_lack_a_class_are_refused(store, tmp_path, monkeypatch):
    monkeypatch.setattr(making, "_heads", None)
    images = np.zeros((12, 8, 8, 1), "uint8")
    labels = np.arange(12) % 2
    file = tmp_path / "two.npz"
    part = {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels}
    np.savez(file, **part, classes=("cat", "dog"))
    device = made.device(tmp_path / "phone", families=[], image_shape=(8, 8, 1))
    with pytest.raises(InputError, match="show no 'frog'; expected images of all 3"):
        update(store, device, spec=f"npz:{file}")
    assert not list(tmp_path.glob("*.zip"))


def test_of_many_test_images_some_are_taken_and_of_each_class_one():
    labels = np.zeros(updating._MOST_TEST_IMAGES + 2000, int)
    labels[7] = 1
    found = updating._in_memory(Examples(np.zeros((len(labels), 1, 1, 1), "uint8"), labels))
    assert updating._MOST_TEST_IMAGES <= len(found) <= updating._MOST_TEST_IMAGES + 1
    assert set(found.labels) == {0, 1}
