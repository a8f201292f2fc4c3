"""Zero channels."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_compat.layers import ChannelPadding


def test_pads_half_before_and_half_after():
    x = np.random.default_rng(0).normal(size=(2, 3, 3, 4)).astype("float32")
    y = keras.ops.convert_to_numpy(ChannelPadding(7)(x))
    np.testing.assert_array_equal(y, np.pad(x, ((0, 0), (0, 0), (0, 0), (1, 2))))


def test_config_shape_and_error():
    layer = ChannelPadding(8, name="pad")
    assert ChannelPadding.from_config(layer.get_config()).get_config() == layer.get_config()
    assert layer(keras.Input((None, None, 4))).shape == (None, None, None, 8)
    with pytest.raises(ValueError, match="9 channels cannot be padded to 8"):
        ChannelPadding(8).build((None, 2, 2, 9))
