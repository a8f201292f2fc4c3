import os

import pytest

from keras_compat.experiments.start_up import spread_operations

INTRA, INTER = "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"
pytestmark = pytest.mark.once


def chosen(monkeypatch, cores, **environment):
    """What the variables are afterwards, on so many cores."""
    monkeypatch.setattr("keras_compat.machine.cores", lambda: cores)
    for name in (INTRA, INTER):
        # Set first, so that it is as it was when the test ends.
        monkeypatch.setenv(name, environment.get(name, ""))
        if name not in environment:
            monkeypatch.delenv(name)
    spread_operations()
    return os.environ.get(INTRA), os.environ.get(INTER)


def test_on_two_cores_each_works_on_an_operation_of_its_own(monkeypatch):
    assert chosen(monkeypatch, 2) == ("1", "2")


@pytest.mark.parametrize("cores", [1, 3, 8])
def test_on_more_or_fewer_tensorflow_chooses(monkeypatch, cores):
    assert chosen(monkeypatch, cores) == (None, None)


def test_what_the_user_has_set_is_kept(monkeypatch):
    assert chosen(monkeypatch, 2, **{INTRA: "2"}) == ("2", None)
    assert chosen(monkeypatch, 2, **{INTER: "1"}) == (None, "1")
