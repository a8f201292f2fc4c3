"""A user's own .keras files: what is on the list is loaded, all else is refused before it is."""

import keras
import numpy as np
import pytest

from keras_compat.errors import InputError
from keras_compat.store.importing import load_keras_file
from tests.attacks import keras_files
from tests.attacks.memory import little_memory

pytestmark = pytest.mark.once


@pytest.fixture
def file(tmp_path):
    return keras_files.make_file(tmp_path)


def test_our_own_models_are_loaded(file):
    features = np.random.default_rng(0).normal(size=(2, 4, 4, 8)).astype("float32")
    found = load_keras_file(file)
    expected = keras_files.make_model().predict_on_batch(features)
    np.testing.assert_array_equal(found.predict_on_batch(features), expected)
    assert not found.compiled


def test_a_lambda_layer(tmp_path):
    images = keras.Input((8, 8, 1))
    keras.Model(images, keras.layers.Lambda(lambda x: x + 1)(images)).save(tmp_path / "l.keras")
    with pytest.raises(InputError, match="Lambda|__lambda__"):
        load_keras_file(tmp_path / "l.keras")


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
    assert load_keras_file(file).name == "head"
