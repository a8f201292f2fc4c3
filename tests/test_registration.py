"""After `import keras_compat`, Keras finds this package's layers, in whatever order it comes."""

import copy
import re
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_compat
from keras_compat import networks, registration
from tests.helpers import python

ROOT = Path(keras_compat.__file__).parent
DECORATED = re.compile(
    r'@keras\.saving\.register_keras_serializable\("keras_compat"\)\nclass (\w+)'
)
LOAD = """
model = keras.saving.load_model(sys.argv[1])
x = np.random.default_rng(0).random((4, *model.input_shape[1:])).astype("float32")
np.save(sys.argv[2], keras.ops.convert_to_numpy(model(x)))
"""
ORDERS = {
    "ours first": "import sys, numpy as np, keras_compat, keras.saving",
    "Keras first": "import sys, numpy as np, keras, keras_compat",
}


@pytest.mark.parametrize("order", ORDERS)
def test_a_part_is_loaded_in_a_fresh_process(order, tmp_path):
    part = networks.build_extractor(
        "resnet8:filters=4", (8, 8, 3), seed=0, interface_channels=8, features="unit_length"
    )
    part.save(tmp_path / "part.keras")
    done = python("-c", ORDERS[order] + LOAD, tmp_path / "part.keras", tmp_path / "found.npy")
    assert done.returncode == 0, done.stderr
    x = np.random.default_rng(0).random((4, 8, 8, 3)).astype("float32")
    expected = keras.ops.convert_to_numpy(part(x))
    np.testing.assert_allclose(np.load(tmp_path / "found.npy"), expected, atol=1e-5)


@pytest.mark.once
def test_keras_and_modules_are_imported_when_they_are_used():
    done = python(
        "-c",
        "import sys, keras_compat\n"
        "assert not {'keras', 'keras_compat.layers'} & {*sys.modules}\n"
        "assert keras_compat.choices.FULL == 'float32' and 'keras' not in sys.modules\n"
        "assert keras_compat.networks.build_extractor\n"
        "keras_compat.network",
    )
    assert "'keras_compat' has no attribute 'network'" in done.stderr


@pytest.mark.once
def test_an_import_of_keras_that_fails_can_be_tried_again():
    done = python(
        "-c",
        "import os, sys, keras_compat\n"
        "backend = os.environ['KERAS_BACKEND']\n"
        "os.environ['KERAS_BACKEND'] = 'none'\n"
        "try: import keras\n"
        "except ValueError: os.environ['KERAS_BACKEND'] = backend\n"
        "for n in [n for n in sys.modules if n.split('.')[0] == 'keras']: del sys.modules[n]\n"
        "import keras\n"
        "print('keras_compat>UnitLength' in keras.saving.get_custom_objects())",
    )
    assert done.stdout.strip() == "True", done.stderr


@pytest.mark.once
def test_all_that_is_registered_is_known():
    found = {
        name: ".".join(file.relative_to(ROOT).with_suffix("").parts)
        for file in ROOT.rglob("*.py")
        for name in DECORATED.findall(file.read_text(encoding="utf-8"))
    }
    assert found == registration.REGISTERED


@pytest.mark.once
@pytest.mark.parametrize("name", registration.REGISTERED)
def test_what_stands_for_a_class_does_as_the_class(name):
    later = copy.deepcopy(registration._Later(name))
    real = later._imported()
    assert keras.saving.get_registered_object(f"keras_compat>{name}") is real
    assert later.from_config == real.from_config
    assert later.__doc__ is not None
