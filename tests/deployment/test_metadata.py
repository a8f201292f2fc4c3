"""LiteRT files say what goes in and what comes out, to MediaPipe and to those without it."""

from __future__ import annotations

import hashlib
import json
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest

from keras_compat import networks
from keras_compat.deployment import (
    LiteRTExport,
    litert_pair,
)
from keras_compat.errors import InputError
from tests.deployment.in_process import export, make_pair, model_metadata, run, smooth_images

pytestmark = pytest.mark.once
SHAPE = (32, 32, 3)
NAMES = ("cat", "dog", "über")
ARCHITECTURE = "mobilenet_v2_small@block2"


@pytest.fixture(scope="module")
def pair():
    return make_pair(SHAPE, ARCHITECTURE, images=smooth_images(32, SHAPE, seed=0))


@pytest.fixture(scope="module")
def written(pair, tmp_path_factory):
    """A network in both types of input, its parts, and what the files say to four images."""
    folder = tmp_path_factory.mktemp("described")
    network = networks.recombine(*pair)
    # Neither black nor white is among them, as in pictures taken in twilight.
    dim = smooth_images(32, SHAPE, 40, 200)
    eight = {"quantization": "int8", "representative": dim, "uint8_input": True}
    single, uint8 = folder / "network.tflite", folder / "network_int8.tflite"
    jobs = [
        LiteRTExport(network, single, class_names=NAMES),
        LiteRTExport(network, folder / "again.tflite", class_names=NAMES),
        LiteRTExport(network, uint8, class_names=NAMES, **eight),
        *litert_pair(*pair, folder / "extractor.tflite", folder / "head.tflite", NAMES, **eight),
    ]
    export(jobs)
    images = smooth_images(4, SHAPE, seed=2)
    logits = {file.name: run(images, file) for file in (single, uint8)}
    return SimpleNamespace(folder=folder, images=images, logits=logits)


@pytest.fixture(scope="module")
def mediapipe():
    """The reader that is not ours; it needs the system's EGL."""
    try:
        import mediapipe
        from mediapipe.tasks.python import vision  # noqa: F401
        from mediapipe.tasks.python.core import mediapipe_c_bindings

        mediapipe_c_bindings.load_raw_library()
    except (ImportError, OSError) as error:
        pytest.skip(f"MediaPipe cannot be loaded: {error}")
    return mediapipe


@pytest.mark.parametrize("name", ["network.tflite", "network_int8.tflite"])
def test_mediapipe_classifies_with_the_file_alone(written, mediapipe, name):
    from mediapipe.tasks.python.core.base_options import BaseOptions
    from mediapipe.tasks.python.vision import ImageClassifier, ImageClassifierOptions

    options = ImageClassifierOptions(BaseOptions(model_asset_path=str(written.folder / name)))
    with ImageClassifier.create_from_options(options) as classifier:
        for image, logits in zip(written.images, written.logits[name], strict=True):
            shown = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=image)
            (found,) = classifier.classify(shown).classifications
            scores = {c.category_name: c.score for c in found.categories}
            assert list(scores) == [NAMES[i] for i in np.argsort(-logits)]
            assert scores == pytest.approx(dict(zip(NAMES, logits, strict=True)), abs=1e-4)
    assert np.ptp(written.logits[name], axis=0).min() > 0.05  # images tell apart


def test_the_parts_describe_themselves(written, mediapipe):
    from mediapipe.tasks.metadata import metadata_schema_py_generated as schema

    found = {}
    for part in ("extractor", "head"):
        root = model_metadata(written.folder / f"{part}.tflite")
        assert root.minParserVersion == b"1.0.0"
        (graph,) = root.subgraphMetadata
        (taken,), (given,) = graph.inputTensorMetadata, graph.outputTensorMetadata
        found[part] = (taken, given)
    (images, features), (again, logits) = found["extractor"], found["head"]
    assert [t.name for t in (images, features, again, logits)] == [
        *(b"images", b"features", b"features", b"logits")
    ]
    (unit,) = images.processUnits
    assert isinstance(unit.options, schema.NormalizationOptionsT)
    assert (list(unit.options.mean), list(unit.options.std)) == ([0], [1])
    assert (list(images.stats.min), list(images.stats.max)) == ([0], [255])
    assert images.content.contentProperties.colorSpace == schema.ColorSpaceType.RGB
    for tensor in (features, again, logits):
        assert isinstance(tensor.content.contentProperties, schema.FeaturePropertiesT)
        assert not tensor.processUnits
    (labels,) = logits.associatedFiles
    assert labels.name == b"labels.txt"
    assert labels.type == schema.AssociatedFileType.TENSOR_AXIS_LABELS
    assert not features.associatedFiles


def test_labels_lie_in_the_file_and_beside_it(written):
    with zipfile.ZipFile(written.folder / "head.tflite") as archive:
        (entry,) = archive.infolist()
        assert (entry.filename, entry.compress_type) == ("labels.txt", zipfile.ZIP_STORED)
        inside = archive.read(entry).decode()
    beside = (written.folder / "head.labels.txt").read_text(encoding="utf-8")
    assert inside == beside == "cat\ndog\nüber\n"
    assert not zipfile.is_zipfile(written.folder / "extractor.tflite")
    assert not (written.folder / "extractor.labels.txt").exists()


@pytest.mark.parametrize("name", ["network", "network_int8", "extractor", "head"])
def test_what_lies_beside_is_what_the_interpreter_says(written, name):
    from ai_edge_litert.interpreter import Interpreter

    file = written.folder / f"{name}.tflite"
    found = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    assert found["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    loaded = Interpreter(str(file))
    for about, (details,) in (
        (found["input"], loaded.get_input_details()),
        (found["output"], loaded.get_output_details()),
    ):
        assert about["shape"] == details["shape"].tolist()
        assert about["type"] == np.dtype(details["dtype"]).name
        scale, zero = details["quantization"]
        assert (about.get("scale", 0), about.get("zero_point", 0)) == (scale, zero)
    if name in ("network_int8", "extractor"):  # a pixel, whatever the representative images
        assert found["input"].items() >= {"type": "uint8", "scale": 1.0, "zero_point": 0}.items()
    images = name != "head"
    normalization = {"range": [0, 255], "mean": [0.0], "std": [1.0], "colour": "RGB"}
    assert {k: found["input"].get(k) for k in normalization} == (
        normalization if images else dict.fromkeys(normalization)
    )
    assert found["output"].get("classes") == (None if name == "extractor" else list(NAMES))


def test_the_same_model_gives_the_same_file(written):
    first, second = (written.folder / f"{n}.tflite" for n in ("network", "again"))
    assert first.read_bytes() == second.read_bytes()


def test_what_lies_beside_is_not_replaced_unasked(pair, tmp_path):
    (tmp_path / "head.labels.txt").write_text("mine")
    with pytest.raises(InputError, match=r"head\.labels\.txt exists"):
        export(litert_pair(*pair, tmp_path / "extractor.tflite", tmp_path / "head.tflite", NAMES))
    assert [p.name for p in tmp_path.iterdir()] == ["head.labels.txt"]
