"""Methods are read from what a flag says."""

import pytest

from keras_compat.auxiliary import AUXILIARIES
from keras_compat.errors import InputError
from keras_compat.experiments.compatibility_analysis import methods
from keras_compat.experiments.compatibility_analysis.methods import parse_method, parse_methods


@pytest.mark.parametrize(
    ("text", "name", "identical", "auxiliaries"),
    [
        ("independent", "independent", False, ()),
        ("iiw", "iiw", True, ()),
        ("dcc+rp+iiw", "iiw+rp+dcc", True, ("rotation", "common_classes")),
        (" jigsaw + iiw", "iiw+jigsaw", True, ("jigsaw",)),
        ("contrastive+exemplar", "exemplar+contrastive", False, ("exemplar", "contrastive")),
    ],
)
def test_a_method_is_its_parts_in_one_order(text, name, identical, auxiliaries):
    method = parse_method(text)
    assert (method.name, method.identical_weights, method.auxiliaries, method.shared) == (
        name,
        identical,
        auxiliaries,
        True,
    )


def test_the_bounds_share_nothing():
    assert parse_method("upper_bound").auxiliaries == ("rotation",)
    assert not parse_method("upper_bound").shared
    assert parse_method("upper_bound_without_rotation").auxiliaries == ()


def test_every_auxiliary_that_a_method_can_name_exists():
    for name in methods.AUXILIARIES.values():
        assert name in AUXILIARIES


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("iiw+rotate", "unknown method in 'iiw\\+rotate' 'rotate'"),
        ("iiw+iiw", "names a part twice"),
        ("independent+rp", "joins 'independent' with others; expected it by itself"),
        ("iiw+upper_bound", "joins 'upper_bound' with others"),
        ("", "unknown method in ''"),
    ],
)
def test_what_cannot_be_read_is_said(text, message):
    with pytest.raises(InputError, match=message):
        parse_method(text)


def test_lists_of_methods():
    assert parse_methods("independent, rp+iiw") == ("independent", "iiw+rp")
    for text in ("iiw,iiw", "iiw+rp,rp+iiw", "", ","):
        with pytest.raises(InputError, match="each once"):
            parse_methods(text)
