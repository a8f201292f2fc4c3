"""Names of files after what users name: any is a file's name in the end, or refused before."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_compat.errors import InputError
from keras_compat.experiments.classifier_transfer.presets import PRESETS
from keras_compat.experiments.naming import distinct_names, file_name, identifier

pytestmark = pytest.mark.once
ANY = st.text(st.characters(exclude_categories=()), min_size=1, max_size=300)


@given(st.lists(ANY, min_size=1, max_size=9))
def test_any_specs_are_part_of_a_file_name(specs):
    name = file_name(*specs)
    assert name.isascii() and "/" not in name and ":" not in name and 0 < len(name) <= 200


@given(ANY)
def test_any_name_of_data_is_an_identifier(name):
    found = identifier(name)
    assert found.isidentifier() and found.isascii() and len(found) <= 80


def test_long_names_stay_different():
    names = distinct_names(["n" * 250 + "a", "n" * 250 + "b"])
    assert len(set(names)) == 2


@pytest.mark.parametrize(
    "name", ["n" * 49, "größe", "_a", "a-b", "../a", "a b", "1a", "\x1b", "caf\udce9"]
)
def test_a_name_of_an_extractor_that_is_no_file_name_is_refused(name):
    with pytest.raises(InputError, match="extractor name .*; expected a letter from a to z"):
        replace(PRESETS["demo"], extractors={name: "resnet8"}, reference=name)
