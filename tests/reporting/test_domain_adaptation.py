"""Table 2, the choices and what a report says of them."""

import pytest

from keras_compat.reporting.domain_adaptation import REPORT
from keras_compat.reporting.domain_adaptation.accuracy import result_table
from keras_compat.reporting.domain_adaptation.choices import choice_table
from keras_compat.reporting.domain_adaptation.curves import curves
from keras_compat.reporting.records import make_record

PROVENANCE = {"config": {}, "versions": {}, "hardware": {}, "data": {}, "durations_s": {}}


def run(source, target, seed, values):
    """The records of one direction: accuracies by what was chosen, as fractions."""
    keys = {"source": source, "target": target, "seed": seed}
    found = [
        make_record("accuracy", values["as_it_is"], network="as_it_is", **keys),
        make_record("accuracy", values["batch"], network="test_statistics", **keys),
    ]
    for chosen_by, rounds in (("published", 200), ("mutual_information", 0), ("labels", 80)):
        how = {"chosen_by": chosen_by, "learning_rate": 1e-4, "layers": "all"}
        value = values[chosen_by]
        found.append(make_record("accuracy", value, network="adapted", **how, **keys))
        found.append(make_record("chosen_rounds", rounds, **how, **keys))
    return found


def both(first, second, seeds=1):
    values = {
        "as_it_is": 0.4,
        "batch": 0.5,
        "published": 0.55,
        "mutual_information": 0.56,
        "labels": 0.6,
    }
    found = []
    for seed in range(seeds):
        found += run(first, second, seed, values)
        found += run(second, first, seed, {k: v + 0.1 + 0.02 * seed for k, v in values.items()})
    return found


def test_directions_are_columns_and_their_average_the_last():
    table = result_table(both("digits", "mnist5k"))
    assert table.header == ["", "digits to mnist5k", "mnist5k to digits", "average"]
    rows = {row[0]: list(row[1:]) for row in table.rows}
    assert rows["source network as it is"] == ["40.0", "50.0", "45.0"]
    assert rows["adapted, best with labels"] == ["60.0", "70.0", "65.0"]
    assert "adapted, chosen by held-out loss" not in rows
    assert not any(name.startswith("paper") for name in rows)


def test_on_the_papers_data_the_published_rows_are_in_the_same_columns():
    """Whichever direction comes first."""
    table = result_table(both("stl10_9", "cifar10"))
    assert table.header[1] == "stl10_9 to cifar10"
    rows = {row[0]: list(row[1:]) for row in table.rows}
    assert rows["paper: adapted through rotation"] == ["73.1", "82.6", "77.9"]
    assert rows["VADA (Shu et al. 2018)"] == ["71.4", "78.3", "74.9"]
    text = REPORT.markdown({**PROVENANCE, "results": both("stl10_9", "cifar10")})
    assert "here it is another network, and its own count of rounds" in text
    alone = run("cifar10", "stl10", 0, dict.fromkeys(_VALUES, 0.5))
    rows = {row[0]: list(row[1:]) for row in result_table(alone).rows}
    assert rows["paper: adapted through rotation"] == ["82.6"]


_VALUES = ("as_it_is", "batch", "published", "mutual_information", "labels")


def test_elsewhere_the_published_table_stands_by_itself():
    text = REPORT.markdown({**PROVENANCE, "results": both("digits", "mnist5k")})
    assert "on other data" in text and "| paper: adapted through rotation | 82.6 |" in text


def test_choices_are_told_by_seed_with_their_distance_to_the_best():
    table = choice_table(both("digits", "mnist5k", seeds=2))
    rows = {(row[0], row[1]): list(row[2:]) for row in table.rows}
    assert rows["digits to mnist5k", "mutual information"] == [
        "not at all, not at all",
        "56.0±0.0",
        "4.0±0.0",
    ]
    assert rows["mnist5k to digits", "nothing (as published)"] == [
        "200 rounds at 0.0001, 200 rounds at 0.0001",
        "66.0±1.4",
        "5.0±0.0",
    ]


def test_without_labels_nothing_is_said_of_accuracy():
    keys = {"source": "a", "target": "b", "seed": 0, "learning_rate": 1e-4, "layers": "all"}
    records = [make_record("chosen_rounds", 40, chosen_by="loss", **keys)]
    assert result_table(records) is None
    assert list(choice_table(records).header) == [
        "direction",
        "chosen by",
        "choice, by seed",
    ]
    text = REPORT.markdown({**PROVENANCE, "results": records})
    assert "## Accuracy" not in text and "40 rounds at 0.0001" in text


def test_what_has_no_result_is_named():
    failure = make_record("failure", 1, step="mnist5k_seed0", seed=0, message="not finite")
    records = [*run("digits", "mnist5k", 0, dict.fromkeys(_VALUES, 0.5)), failure]
    text = REPORT.markdown({**PROVENANCE, "results": records})
    assert "**Without a result**" in text and "- mnist5k_seed0: not finite" in text


@pytest.mark.parametrize("several", [False, True])
def test_curves_are_told_apart_by_what_differs(several):
    keys = {"source": "a", "target": "b", "seed": 0, "rounds": 0}
    records = [
        make_record("held_out_loss", 1.0, learning_rate=rate, layers=layers, **keys)
        for rate in (1e-4, 1e-3)
        for layers in (("all", "normalization") if several else ("all",))
    ]
    labels = [curve.label for curve in curves(records)]
    expected = ["learning rate 0.0001", "learning rate 0.001"]
    if several:
        expected = [f"{e}, {how}" for how in ("all layers", "normalization") for e in expected]
    assert labels == expected
