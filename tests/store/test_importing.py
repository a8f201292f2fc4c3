"""A user's own .keras files: what is on the list is loaded, all else is refused before it is."""

import json
import zipfile

import keras
import numpy as np
import pytest

from keras_compat.errors import InputError
from keras_compat.store.importing import load_keras_file
from tests.attacks import keras_files
from tests.attacks.memory import little_memory
from tests.store import made

pytestmark = pytest.mark.once


def changed(path, change, compression=zipfile.ZIP_STORED):
    """Writes a .keras file again with another configuration."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    members["config.json"] = json.dumps(change(config) or config).encode()
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


@pytest.fixture
def file(tmp_path):
    made.extractor().extractor.save(tmp_path / "extractor.keras")
    return tmp_path / "extractor.keras"


def layers(config):
    return config["config"]["layers"]


def test_our_own_models_are_loaded(file):
    images = np.zeros((2, 8, 8, 1), "float32")
    found = load_keras_file(file)
    expected = made.extractor().extractor.predict_on_batch(images)
    np.testing.assert_array_equal(found.predict_on_batch(images), expected)
    assert not found.compiled


def test_a_lambda_layer(tmp_path):
    images = keras.Input((8, 8, 1))
    keras.Model(images, keras.layers.Lambda(lambda x: x + 1)(images)).save(tmp_path / "l.keras")
    with pytest.raises(InputError, match="Lambda|__lambda__"):
        load_keras_file(tmp_path / "l.keras")


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        ({"class_name": "system", "module": "os"}, "os.system"),
        ({"class_name": "function", "config": "eval", "module": "builtins"}, "builtins.function"),
        ({"class_name": "ReLU", "module": "os"}, "os.ReLU"),
        ({"class_name": "TFSMLayer", "module": "keras.layers"}, "keras.layers.TFSMLayer"),
        (
            {"class_name": "X", "module": "evil", "registered_name": "keras_compat>X"},
            "evil.X",
        ),
        (
            {
                "class_name": "UnitLength",
                "module": "evil",
                "registered_name": "keras_compat>UnitLength",
            },
            "evil.UnitLength",
        ),
    ],
)
def test_other_code_is_not_even_imported(file, entry, named):
    changed(file, lambda config: layers(config)[1]["config"].update(activation=entry))
    with pytest.raises(InputError, match=named):
        load_keras_file(file)


def test_a_file_that_is_compressed(file):
    changed(file, lambda config: None, zipfile.ZIP_DEFLATED)
    with pytest.raises(InputError, match="compressed"):
        load_keras_file(file)


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"\x89HDF\r\n\x1a\n"])
def test_no_keras_file(tmp_path, content):
    (tmp_path / "x.keras").write_bytes(content)
    with pytest.raises(InputError, match="is no .keras file"):
        load_keras_file(tmp_path / "x.keras")


def test_a_file_with_more_in_it(file):
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("assets/run.py", "import os")
    with pytest.raises(InputError, match="it holds"):
        load_keras_file(file)


def test_weights_that_do_not_fit(file):
    def wider(config):
        for layer in layers(config):
            if layer["class_name"] == "Conv2D":
                layer["config"]["filters"] += 1

    changed(file, wider)
    with pytest.raises(InputError, match="cannot be loaded"):
        load_keras_file(file)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", keras_files.ATTACKS)
def test_attacks_are_refused_with_the_reason(name, tmp_path):
    attack, expected = keras_files.ATTACKS[name]
    with little_memory(300 * 2**20), pytest.raises(InputError) as caught:
        keras_files.attempt(tmp_path, attack)
    assert expected in str(caught.value)
    assert len(str(caught.value)) < 600


def test_what_is_looked_at_is_what_is_loaded(file, monkeypatch):
    """A file that is another after it was looked at is not looked at again."""
    load = keras.saving.load_model

    def meanwhile(path, **keywords):
        file.write_bytes(b"another")
        return load(path, **keywords)

    monkeypatch.setattr(keras.saving, "load_model", meanwhile)
    assert load_keras_file(file).name == made.extractor().extractor.name
