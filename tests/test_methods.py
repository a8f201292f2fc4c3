"""Methods are read from what a flag says."""

import pytest

from keras_compat.auxiliary import AUXILIARIES, AuxiliaryEntry
from keras_compat.errors import InputError
from keras_compat.methods import (
    glossary,
    known_methods,
    method_name,
    parse_method,
    parse_methods,
)
from keras_compat.studies import STUDIES
from keras_compat.studies.cells import Known


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


def test_matching_is_a_task_of_pairs():
    method = parse_method("fm+rp")
    assert (method.name, method.single, method.paired) == ("rp+fm", ("rotation",), ("matching",))


def test_every_method_is_explained_and_another_release_s_is_named():
    for name, method in known_methods().items():
        assert glossary([name]) == [f"{method_name(name)}: {method.meaning}"]
        assert method.meaning
    assert glossary(["newer+rp"])[1:] == ["newer: not known to this release"]


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


def test_a_task_is_a_method_of_studies_and_reports_by_its_registry_line(monkeypatch):
    entry = AuxiliaryEntry("anywhere:Noise", "a shared head tells the noise", token="noise")
    monkeypatch.setattr(AUXILIARIES, "_members", {**AUXILIARIES._members, "noise_level": entry})
    assert parse_method("noise+iiw").auxiliaries == ("noise_level",)
    assert glossary(["iiw+noise"])[-1] == f"NOISE: {entry.meaning}"
    known = Known(["a", "b"], 4, ["stem"], None, False, ["resnet8"], ["rp"], [0])
    asked = STUDIES["auxiliaries"].cells(known, seed=0)
    assert {"noise", "iiw+noise"} < {a.cell.method for a in asked}
