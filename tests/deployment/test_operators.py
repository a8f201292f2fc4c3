"""Files that need more than the LiteRT interpreter are found out."""

from __future__ import annotations

import pytest

from keras_compat.deployment.operators import check_operators
from keras_compat.errors import InputError


@pytest.mark.parametrize("bad", ["CUSTOM:FlexErfinv", "CUSTOM:Own", "VAR_HANDLE", "READ_VARIABLE"])
def test_refuses_operators_outside_the_litert_set(bad):
    with pytest.raises(InputError, match=f"a.tflite would need {bad}"):
        check_operators({"CONV_2D": 3, bad: 1}, "a.tflite")
