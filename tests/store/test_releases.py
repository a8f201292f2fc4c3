"""What earlier releases wrote is read, and answers as it did."""

from __future__ import annotations

import numpy as np
import pytest

import keras_compat
from keras_compat.store import Store, load
from tests.store.keep_release import EXPECTED, RELEASES, STORE, answer

KEPT = sorted(path.name for path in RELEASES.iterdir())


def test_this_release_is_kept():
    assert keras_compat.__version__ in KEPT, "run python -m tests.store.keep_release"


@pytest.mark.parametrize("release", KEPT)
def test_every_component_is_read_and_answers_as_it_did(release):
    store = Store(RELEASES / release / STORE)
    assert store.verify() == []
    with np.load(RELEASES / release / EXPECTED) as expected:
        references = [entry.reference for entry in store.entries()]
        assert {*map(str, references), "images"} == set(expected)
        for reference in references:
            found = answer(load(store, reference), expected["images"])
            np.testing.assert_allclose(
                found, expected[str(reference)], rtol=1e-3, atol=1e-4, err_msg=str(reference)
            )
