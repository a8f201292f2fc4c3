"""LiteRT files of fewer bits: smaller, without Flex, and near what Keras says."""

from types import SimpleNamespace

import numpy as np
import pytest

from keras_compat.deployment import LiteRTExport, litert_operators, litert_pair
from keras_compat.errors import InputError
from tests.deployment.in_process import export, keras_outputs, make_pair, run, smooth_images

pytestmark = pytest.mark.once
SHAPE = (16, 16, 3)
QUANTIZATIONS = ("float32", "float16", "dynamic", "int8")


@pytest.fixture(scope="module")
def images():
    return smooth_images(60, SHAPE, seed=0)


@pytest.fixture(scope="module")
def pair(images):
    return make_pair(SHAPE, "mobilenet_v2_small@block2", classes=5, images=images)


@pytest.fixture(scope="module")
def written(pair, images, tmp_path_factory):
    folder = tmp_path_factory.mktemp("quantized")
    files = {
        part: {q: folder / f"{part}_{q}.tflite" for q in QUANTIZATIONS}
        for part in ("extractor", "head")
    }
    jobs = []
    for name in QUANTIZATIONS:
        eight = {"representative": images, "uint8_input": True} if name == "int8" else {}
        paths = (files["extractor"][name], files["head"][name])
        jobs += litert_pair(*pair, *paths, quantization=name, **eight)
    sizes = {file.path.name: file.size_bytes for file in export(jobs)}
    combinations = [(e, h) for e in QUANTIZATIONS for h in QUANTIZATIONS]
    some = images[:24]
    logits = [run(some, files["extractor"][e], files["head"][h]) for e, h in combinations]
    expected = keras_outputs(some, *pair)
    return SimpleNamespace(
        files=files,
        sizes=sizes,
        logits=dict(zip(combinations, logits, strict=True)),
        expected=expected,
    )


def test_fewer_bits_take_less_room(written):
    for part in ("extractor", "head"):
        sizes = [written.sizes[f"{part}_{name}.tflite"] for name in QUANTIZATIONS]
        assert sizes[1] < 0.75 * sizes[0]
        assert sizes[3] < 0.75 * sizes[0]


@pytest.mark.parametrize("head", QUANTIZATIONS)
@pytest.mark.parametrize("extractor", QUANTIZATIONS)
def test_every_head_serves_every_extractor(written, extractor, head):
    found, expected = written.logits[extractor, head], written.expected
    spread = expected.std()
    worst = {"float32": 1e-4, "float16": 0.02, "dynamic": 0.3, "int8": 0.5}
    allowed = max(worst[extractor], worst[head])
    assert np.abs(found - expected).mean() < allowed * spread
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.95


def test_eight_bits_are_all_there_is_but_for_what_goes_in_and_out(written):
    interpreter = pytest.importorskip("ai_edge_litert.interpreter").Interpreter
    types = {}
    for part in ("extractor", "head"):
        file = written.files[part]["int8"]
        assert not [x for x in litert_operators(file) if x.startswith(("CUSTOM", "VAR"))]
        loaded = interpreter(str(file))
        loaded.allocate_tensors()
        types[part] = [
            d[0]["dtype"] for d in (loaded.get_input_details(), loaded.get_output_details())
        ]
        kinds = [t["dtype"] for t in loaded.get_tensor_details() if t["name"]]
        assert kinds.count(np.float32) <= 2
    assert types == {"extractor": [np.uint8, np.float32], "head": [np.float32, np.float32]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"quantization": "int4"}, "unknown quantization 'int4'; did you mean 'int8'"),
        ({"quantization": "int8"}, "representative for .* is of shape None"),
        ({"quantization": "float16", "uint8_input": True}, "expected it with 'int8' alone"),
        (
            {"quantization": "int8", "uint8_input": True, "input_name": "features"},
            "input 'features'; expected it with 'int8' alone",
        ),
    ],
)
def test_bad_input(pair, tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        export([LiteRTExport(pair[0], tmp_path / "x.tflite", **changes)])
    assert list(tmp_path.iterdir()) == []
