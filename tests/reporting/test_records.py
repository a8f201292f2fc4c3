from __future__ import annotations

import numpy as np
import pytest

from keras_compat.reporting import make_record, mean_by_seed, select, summarise, unique


def test_numpy_values_become_plain():
    record = make_record("accuracy", np.float32(0.5), seed=np.int64(3))
    assert type(record["value"]) is float
    assert type(record["seed"]) is int


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, "0.5", True])
def test_a_value_that_is_no_finite_number_is_refused(value):
    with pytest.raises(ValueError, match="finite number"):
        make_record("accuracy", value)


def test_a_key_that_holds_several_things_is_refused():
    with pytest.raises(ValueError, match="flat"):
        make_record("accuracy", 0.5, classes=[1, 2])


def test_select_keeps_order_and_applies_defaults_only_where_a_key_lacks():
    records = [
        make_record("accuracy", 0.1, seed=1),
        make_record("accuracy", 0.2, seed=0, statistics="moving"),
        make_record("chance", 0.3),
    ]
    batch = select(records, {"statistics": "batch"}, statistics="batch")
    assert [r["value"] for r in batch] == [0.1, 0.3]
    assert select(records, statistics="batch") == []
    assert [r["value"] for r in select(records, metric="accuracy", seed=None)] == [0.1, 0.2]


def test_summary_is_numpys_sample_standard_deviation():
    values = [0.91, 0.93, 0.98]
    summary = summarise([make_record("a", v, seed=s) for s, v in enumerate(values)])
    assert summary.mean == pytest.approx(np.mean(values))
    assert summary.std == pytest.approx(np.std(values, ddof=1))
    assert summary.count == 3


def test_summary_of_one_and_of_none():
    assert summarise([make_record("a", 0.5)]) == (0.5, 0.0, 1)
    assert summarise([]) is None


def test_a_seed_that_comes_twice_is_refused():
    records = [make_record("a", 0.5, seed=0, extractor=e) for e in ("x", "y")]
    with pytest.raises(ValueError, match="seeds"):
        summarise(records)


def test_unique_keeps_the_order_of_appearance():
    records = [make_record("a", 0, extractor=e) for e in ("z", "a", "z")]
    assert unique(records, "extractor") == ("z", "a")


def test_the_spread_of_means_by_seed_is_over_seeds():
    pairs = {("a", 0): 0.1, ("b", 0): 0.9, ("a", 1): 0.3, ("b", 1): 0.9}
    records = [make_record("a", v, extractor=e, seed=s) for (e, s), v in pairs.items()]
    assert [r["value"] for r in mean_by_seed(records)] == pytest.approx([0.5, 0.6])
    assert summarise(mean_by_seed(records)).std == pytest.approx(np.std([0.5, 0.6], ddof=1))
    assert mean_by_seed([]) == []


def test_a_seed_that_lacks_a_record_has_no_mean():
    records = [make_record("a", 0.5, extractor=e, seed=0) for e in "ab"]
    records.append(make_record("a", 0.9, extractor="a", seed=1))
    assert [r["seed"] for r in mean_by_seed(records)] == [0]
