from __future__ import annotations

import json
import os

import numpy as np
import pytest

from keras_compat.errors import InputError
from keras_compat.reporting import load_metrics, make_record, write_metrics

RECORDS = [make_record("accuracy", 0.1 + 0.2, extractor="resnet8", seed=s) for s in range(2)]


def write(path, **changes):
    content = {
        "experiment": "classifier_transfer",
        "config": {"preset": "demo", "extractors": ("a", "b")},
        "data": {"digits": {"sha256": "0", "shape": np.array([8, 8, 1])}},
        "durations_s": {"train": 1.23456},
        "results": RECORDS,
        "versions": {"keras": "3.15.1"},
        "hardware": {"cores": 2},
    }
    return write_metrics(path, **{**content, **changes})


def test_what_is_written_is_read_back(tmp_path):
    write(tmp_path / "metrics.json")
    metrics = load_metrics(tmp_path / "metrics.json")
    assert metrics["results"] == RECORDS
    assert metrics["config"] == {"preset": "demo", "extractors": ["a", "b"]}
    assert metrics["data"]["digits"]["shape"] == [8, 8, 1]
    assert metrics["durations_s"] == {"train": 1.235}
    assert metrics["versions"] == {"keras": "3.15.1"}
    assert metrics["hardware"] == {"cores": 2}
    assert metrics["experiment"] == "classifier_transfer"


def test_one_record_a_line(tmp_path):
    write(tmp_path / "metrics.json")
    lines = (tmp_path / "metrics.json").read_text().splitlines()
    assert sum('"metric": "accuracy"' in line for line in lines) == len(RECORDS)


def test_versions_and_hardware_are_collected_when_not_given(tmp_path):
    metrics = write(tmp_path / "metrics.json", versions=None, hardware=None)
    assert metrics["versions"]["keras"]
    assert metrics["hardware"]["cores"] >= 1


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "metrics.json"
    write(path)
    before = path.read_bytes()
    with pytest.raises(ValueError):
        write(path, config={"learning_rate": float("nan")})
    with pytest.raises(TypeError, match="object"):
        write(path, config={"callback": object()})
    with pytest.raises(ValueError, match="finite"):
        write(path, results=[{"metric": "accuracy", "value": float("nan")}])
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["metrics.json"]


def test_files_that_are_no_metrics_are_refused_in_one_line(tmp_path):
    write(tmp_path / "good.json")
    good = json.loads((tmp_path / "good.json").read_text())
    bad = {
        "not JSON": "{",
        "no 'experiment' section": "[]",
        "no 'results' section": json.dumps({**good, "results": {}}),
        "needs a metric": json.dumps({**good, "results": [{"value": 1}]}),
        "finite number": json.dumps({**good, "results": [{"metric": "a", "value": "b"}]}),
        "'str' object": json.dumps({**good, "results": ["a"]}),
    }
    for message, text in bad.items():
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(InputError, match=message) as error:
            load_metrics(tmp_path / "bad.json")
        assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="absent.json cannot be read"):
        load_metrics(tmp_path / "absent.json")
