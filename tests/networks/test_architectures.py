"""Names, arguments and sizes of the architectures."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_compat import networks
from keras_compat.errors import InputError


@pytest.mark.parametrize(
    ("architecture", "classes", "parameters"),
    [
        # He et al. 2016, Table 6: 0.27 M and 0.85 M.
        ("resnet20", 10, 269_722),
        ("resnet56", 10, 853_018),
        # Zagoruyko and Komodakis 2016, Table 4: 8.9 M, 11.0 M and 36.5 M.
        ("wide_resnet:depth=40,width=4", 10, 8_949_210),
        ("wide_resnet:depth=16,width=8", 10, 10_961_370),
        ("wide_resnet28", 10, 36_479_194),
        # Two wide, nine blocks a stage: no figure in the paper, which names no width.
        ("wide_resnet56", 10, 3_407_450),
        # As many as in torchvision for 1000 classes; Sandler et al. 2018, Table 4 says 3.4 M.
        ("mobilenet_v2", 1000, 3_504_872),
        ("mobilenet_v2", 10, 2_236_682),
        ("mobilenet_v2:width=1.4", 1000, 6_108_776),
    ],
)
def test_parameter_counts(architecture, classes, parameters):
    with keras.StatelessScope(initialize_variables=False):  # only the weights' shapes count
        model = networks.build(architecture, (32, 32, 3), classes, seed=0)
    keras.utils.clear_session()  # else Keras draws the weights with those of the next model
    assert networks.count_parameters(model) == parameters


def test_split_points():
    assert networks.split_points("mobilenet_v2") == (
        "stem",
        *(f"block{i}" for i in range(1, 18)),
    )
    points = networks.split_points("resnet56")
    assert len(points) == 1 + 27 + 3
    assert points[:2] == ("stem", "stage1_block1")
    assert networks.default_split("mobilenet_v2") == "block11"
    assert networks.default_split("wide_resnet56") == "stage2"
    assert networks.default_split("mobilenet_v2_small") == "block4"


def test_alias_is_the_last_block_of_the_stage():
    a, b = (
        networks.build_extractor("resnet:depth=14", (32, 32, 3), split, seed=0)
        for split in ("stage2", "stage2_block2")
    )
    assert [layer.name for layer in a.layers] == [layer.name for layer in b.layers]


def test_spatial_sizes_of_the_main_job():
    def interface(architecture):
        return networks.feature_interface(networks.build_extractor(architecture, (32, 32, 3)))

    assert interface("mobilenet_v2") == (8, 8, 64)
    assert interface("resnet20") == (16, 16, 64)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("resnet56", ("resnet56", {}, None)),
        ("mobilenet_v2:width=0.5@block3", ("mobilenet_v2", {"width": 0.5}, "block3")),
        ("wide_resnet:depth=28,width=10", ("wide_resnet", {"depth": 28, "width": 10}, None)),
        ("wide_resnet10:depth=16", ("wide_resnet10", {"depth": 16}, None)),
    ],
)
def test_parse_architecture(text, expected):
    assert networks.parse_architecture(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("resnt56", "unknown architecture 'resnt56'; did you mean 'resnet56'"),
        ("", "unknown architecture ''"),
        ("resnet:dept=8", "unknown argument of resnet 'dept'; did you mean 'depth'"),
        ("resnet:", "unknown argument of resnet ''"),
        ("resnet:depth=big", "resnet:depth is 'big'; expected a whole number"),
        ("mobilenet_v2:width=wide", "expected a number"),
        ("mobilenet_v2:width=nan", "expected more than 0"),
        ("resnet:depth=9", "expected 6n \\+ 2"),
        ("resnet:filters=0", "filters is 0"),
        ("wide_resnet:depth=12", "expected 6n \\+ 4"),
        ("wide_resnet:width=2", "either depth or blocks_per_stage"),
        ("wide_resnet:blocks_per_stage=-1", "blocks_per_stage is -1"),
        ("resnet56@stage4", "unknown split of resnet56 'stage4'; did you mean 'stage"),
        ("resnet56@", "unknown split"),
    ],
)
def test_bad_architecture_strings(text, message):
    with pytest.raises(InputError, match=message) as error:
        networks.parse_architecture(text)
    assert "\n" not in str(error.value)


def test_bad_arguments_of_build():
    with pytest.raises(InputError, match="drop @stage2"):
        networks.build("resnet8@stage2", (8, 8, 3), 10)
    with pytest.raises(InputError, match="another split"):
        networks.build_extractor("resnet8@stage2", (8, 8, 3), split="stage1")
    with pytest.raises(InputError, match="input_shape is"):
        networks.build("resnet8", (8, 8), 10)
    with pytest.raises(InputError, match="classes is 0"):
        networks.build("resnet8", (8, 8, 3), 0)
    with pytest.raises(InputError, match="interface_channels is 0"):
        networks.build_extractor("resnet8", (8, 8, 3), interface_channels=0)
    with pytest.raises(InputError, match="unknown split 'block99'"):
        networks.build_head("mobilenet_v2", "block99")


def test_no_seed_means_new_weights():
    a, b = (networks.build_head("resnet8").get_weights() for _ in range(2))
    assert np.abs(a[0] - b[0]).max() > 0


def test_shortcuts_have_no_weights_and_a_wide_input_none():
    head = networks.build_head("resnet8", "stem", input_channels=64, seed=0)
    names = {layer.name for layer in head.layers}
    assert "stage1_block1_add" not in names
    assert {"stage2_block1_add", "stage2_block1_pad"} <= names
    assert not any("shortcut" in weight.path for weight in head.weights)


def test_depthwise_weights_have_the_deviation_of_one_input_channel():
    model = networks.build_head("mobilenet_v2", "block16", 160, seed=0)
    kernel = model.get_layer("block17_depthwise").get_weights()[0]
    np.testing.assert_allclose(kernel.std(), np.sqrt(2 / 9), rtol=0.05)
    kernel = model.get_layer("top_conv").get_weights()[0]
    np.testing.assert_allclose(kernel.std(), np.sqrt(2 / 320), rtol=0.02)
