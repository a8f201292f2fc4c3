"""Every file is right or refused in one line: layers and activations of Keras in all formats."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_compat.deployment import LiteRTExport, ONNXExport, SavedModelExport, export
from keras_compat.errors import InputError
from keras_compat.layers import UnitLength
from keras_compat.networks import ARCHITECTURES, NORMALIZATIONS, recombine
from tests.deployment.in_process import make_pair

pytestmark = pytest.mark.once
SHAPE = (12, 12, 4)
FORMATS = ("saved_model", "litert", "onnx")


@pytest.fixture(scope="module")
def conversion():
    """The module that the process runs; it needs TensorFlow as Keras' backend."""
    pytest.importorskip("tf2onnx")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("the process that converts uses TensorFlow, whatever the backend here")
    from keras_compat.deployment import conversion

    return conversion


class Held(layers.Layer):
    """Adds a tensor that is no weight, in a loop."""

    def build(self, shape):
        self.held = ops.convert_to_tensor(np.arange(576.0, dtype="float32").reshape(1, *SHAPE))

    def call(self, inputs):
        return ops.fori_loop(0, 3, lambda _, x: x + self.held, inputs)


def sequence(x):
    return layers.Reshape((-1, 4))(x)


COLOURS = {"mean": [1.0, 2, 3, 4], "variance": [1.0, 2, 3, 4]}
WORK = {
    "Normalization": layers.Normalization(**COLOURS),
    "Normalization of one number": layers.Normalization(mean=1.0, variance=2.0),
    "Normalization inverted": layers.Normalization(invert=True, **COLOURS),
    "Rescaling by arrays": layers.Rescaling([1.0, 2, 3, 4], [0.0, 1, 2, 3]),
    "held tensor": Held(),
    "convolution in groups": layers.Conv2D(4, 3, groups=2),
    "dilated": layers.Conv2D(4, 3, dilation_rate=2, padding="same"),
    "depthwise": layers.DepthwiseConv2D(3, depth_multiplier=2),
    "separable": layers.SeparableConv2D(3, 3),
    "transposed": layers.Conv2DTranspose(3, 3, strides=2),
    "einsum": layers.EinsumDense("bhwc,cd->bhwd", (12, 12, 5), bias_axes="d"),
    "GroupNormalization": layers.GroupNormalization(2),
    "LayerNormalization": layers.LayerNormalization(),
    "RMSNormalization": layers.RMSNormalization(),
    "UnitNormalization": layers.UnitNormalization(),
    **{f"normalized by {name}": NORMALIZATIONS[name]("norm") for name in ("layer", "instance")},
    "UnitLength": UnitLength(),
    "dense": layers.Dense(3),
    "SpectralNormalization": layers.SpectralNormalization(layers.Conv2D(3, 3)),
    "resized by 7/12": layers.Resizing(7, 9),
    "cropped larger": layers.CenterCrop(20, 20),
    "UpSampling2D": layers.UpSampling2D(2, interpolation="bilinear"),
    "pooled": layers.AveragePooling2D(2, padding="same"),
    "PReLU": layers.PReLU(alpha_initializer="ones"),
    "ReLU": layers.ReLU(6.0, 0.1, 0.2),
    "random at training alone": layers.RandomFlip(),
    "noise at training alone": layers.GaussianNoise(1.0),
    "attention": lambda x: layers.MultiHeadAttention(2, 3)(sequence(x), sequence(x)),
    "recurrent": lambda x: layers.Bidirectional(layers.GRU(3))(sequence(x)),
    "log1p": lambda x: ops.log1p(x),
    "expm1": lambda x: ops.expm1(x / 255),
    "nothing": layers.Identity(),
}
# Keras' own overflows, or takes further arguments; the others work in every format.
ACTIVATIONS = sorted(
    name
    for name, value in vars(keras.activations).items()
    if callable(value)
    and name not in {"get", "serialize", "deserialize", "threshold", "softplus", "exponential"}
)


def made(call, dtype=None, shape=SHAPE):
    inputs = keras.Input(shape, dtype=dtype)
    return keras.Model(inputs, call(inputs))


def job_of(model, format, path):
    kind = {"saved_model": SavedModelExport, "litert": LiteRTExport, "onnx": ONNXExport}[format]
    job = kind(model, path)
    return {"format": format, "name": path.name, "json": f"{path}.json", "path": str(path)} | (
        job.request()
    )


def check_runs(job, model, tolerance=2e-3):
    """Runs a file on other images than those that it was checked on."""
    from keras_compat.deployment.run_exported import RUNNERS

    images = np.random.default_rng(7).uniform(0, 255, (3, *model.input_shape[1:]))
    images = images.astype("float32")
    expected = ops.convert_to_numpy(model(images, training=False))
    found = RUNNERS[job["format"]]([job["path"]], images, 3)
    np.testing.assert_allclose(
        found, expected, rtol=tolerance, atol=tolerance * np.abs(expected).max()
    )


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    "name", [pytest.param(x, marks=pytest.mark.slow if x == "recurrent" else ()) for x in WORK]
)
def test_layers(conversion, tmp_path, name, format):
    model = made(WORK[name])
    job = job_of(model, format, tmp_path / "m")
    conversion.write(model, job)
    check_runs(job, model)


@pytest.mark.parametrize("format", FORMATS)
def test_activations(conversion, tmp_path, format):
    """All in one model, side by side."""
    model = made(
        lambda x: layers.Concatenate()(
            [layers.Activation(name)((x - 128) / 32) for name in ACTIVATIONS]
        )
    )
    job = job_of(model, format, tmp_path / "m")
    conversion.write(model, job)
    check_runs(job, model, 1e-4)


@pytest.mark.parametrize(
    ("call", "format", "message"),
    [
        (lambda x: ops.erfinv(x / 500), "onnx", "Erfinv"),
        (lambda x: ops.erfinv(x / 500), "litert", "FlexErfinv"),
        (layers.Discretization([10.0, 99]), "onnx", "discretization.*Bucketize"),
        (layers.Resizing(5, 5, antialias=True), "onnx", "ScaleAndTranslate"),
        (layers.Activation("threshold"), "onnx", "threshold.* missing 2 required"),
        # 255 is too much for LiteRT's: log(1 + exp(x)).
        (layers.Activation("softplus"), "litert", "gives other numbers than Keras"),
        (lambda x: ops.slice(x, (0, 1, 1, 0), (1, 2, 2, 4)), "litert", "emits"),
    ],
)
def test_what_cannot_be_right_is_one_line(conversion, tmp_path, call, format, message):
    model = made(call)
    with pytest.raises(InputError, match=message) as caught:
        conversion.write(model, job_of(model, format, tmp_path / "m"))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    "model",
    [
        lambda: made(layers.Embedding(3, 4), "int32", (7,)),
        lambda: made(layers.Rescaling(1 / 255), "uint8"),
        lambda: made(layers.Conv2D(2, 3), None, (9, 7, 5)),
        lambda: made(layers.Dense(3), None, (5,)),
        lambda: keras.Sequential([layers.Input((4, 4, 1)), layers.Flatten(), layers.Dense(2)]),
        lambda: keras.Model(x := layers.Input(batch_shape=(4, *SHAPE)), layers.Flatten()(x)),
        lambda: keras.Model(x := layers.Input((5,)), {"scores": layers.Dense(3)(x)}),
    ],
    ids=["integers", "uint8", "channels", "no image", "sequential", "batch of 4", "dict"],
)
def test_inputs_of_other_kinds(conversion, tmp_path, model, format):
    model = model()
    conversion.write(model, job_of(model, format, tmp_path / "m"))
    assert (tmp_path / "m").exists()


def test_a_size_that_is_open(conversion, tmp_path):
    model = made(
        lambda x: layers.GlobalAveragePooling2D()(layers.Conv2D(3, 3)(x)), None, (None,) * 2 + (3,)
    )
    conversion.write(model, job_of(model, "saved_model", tmp_path / "m"))
    with pytest.raises(InputError, match="expected whole numbers that fit"):
        job_of(model, "onnx", tmp_path / "o")


@pytest.mark.parametrize("kind", [SavedModelExport, LiteRTExport, ONNXExport])
@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: keras.Model([x := keras.Input((3,)), y := keras.Input((3,))], x + y), "2 inputs"),
        (lambda: made(lambda x: [x + 1, x + 2]), "has 2 outputs; expected one"),
        (lambda: made(lambda x: {"a": x + 1, "b": x + 2}), "has 2 outputs; expected one"),
        (lambda: made(ops.mean), r"emits \(\); expected an axis"),
        (lambda: keras.Sequential([layers.Dense(3)]), "Sequential of unknown shapes"),
        (lambda: made(layers.Identity(), "string", (1,)), "takes text; expected one that takes"),
    ],
)
def test_models_that_no_file_can_hold(tmp_path, kind, model, message):
    with pytest.raises(InputError, match=message):
        export([kind(model(), tmp_path / "m")])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    "name",
    [
        *("MobileNet", "MobileNetV2", "MobileNetV3Small", "EfficientNetB0", "EfficientNetV2B0"),
        *("ConvNeXtTiny", "DenseNet121", "ResNet50", "ResNet50V2", "VGG16", "NASNetMobile"),
        *("Xception", "InceptionV3", "InceptionResNetV2", *ARCHITECTURES),
    ],
)
def test_architectures_of_keras_and_ours(conversion, tmp_path, name, format):
    if name in ARCHITECTURES:
        sized = {"resnet": "resnet:depth=14", "wide_resnet": "wide_resnet:depth=10,width=2"}
        model = recombine(*make_pair((8, 8, 3), sized.get(name, name)))
    else:
        build, size = getattr(keras.applications, name), 75 if "ception" in name else 32
        model = build(weights=None, input_shape=(size, size, 3), classes=5)
    job = job_of(model, format, tmp_path / "m")
    conversion.write(model, job)
    values = "logits" if name in ARCHITECTURES else "probabilities"
    assert job["output_name"] == job["values"] == values
    check_runs(job, model)
