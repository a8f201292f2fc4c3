"""Fig. 5's figures and the ranking of sources, from records."""

import pytest

from keras_compat.experiments.transfer_learning.methods import METHODS
from keras_compat.reporting.records import make_record
from keras_compat.reporting.transfer_learning import REPORT, ranking_report
from keras_compat.reporting.transfer_learning.fine_tuning import curve, result_table
from keras_compat.reporting.transfer_learning.ranking import (
    ranking_method,
    ranking_table,
    ranking_text,
)
from tests.reporting.legibility import collecting, faults, texts


def transferred(source, seed, before, curve, method="rp"):
    """The records of one source: accuracy on training images, then by steps on test images."""
    keys = {"source": source, "target": "t", "method": method, "seed": seed}
    found = [
        make_record("ranking_accuracy", before, **keys),
        make_record("ranking_images", 100, **keys),
        make_record("ranking_seconds", 0.5, **keys),
        make_record("fine_tuning_seconds", 20.0, **keys),
        make_record("fine_tuning_images", 3200, **keys),
        make_record("steps_an_epoch", 4, **keys),
        make_record("chance", 0.1, **keys),
    ]
    return found + [
        make_record("accuracy", v, steps=s, **keys)
        for s, v in zip((0, 1, 2, 4, 8), curve, strict=True)
    ]


THREE = [
    *transferred("a", 0, 0.3, (0.3, 0.4, 0.5, 0.6, 0.9)),
    *transferred("b", 0, 0.5, (0.5, 0.5, 0.6, 0.7, 0.8)),
    *transferred("c", 0, 0.4, (0.4, 0.4, 0.4, 0.4, 0.7)),
]


def test_sources_stand_in_the_order_before_fine_tuning_with_what_it_cost():
    table = ranking_table(THREE, "t")
    assert [list(row) for row in table.rows] == [
        ["b", "50.0", "70.0", "80.0", "0.5", "20.0"],
        ["c", "40.0", "40.0", "70.0", "0.5", "20.0"],
        ["a", "30.0", "60.0", "90.0", "0.5", "20.0"],
    ]


def test_the_ranking_is_compared_with_that_after_fine_tuning():
    """Before: b, c, a; after: a, b, c. The rank correlation of these is -1/2."""
    text = ranking_text(THREE, "t")
    assert "is -0.50." in text and "is 10.0 points below the best" in text
    assert text.startswith("By 100 images")


def test_each_seed_is_ranked_by_itself():
    second = [
        *transferred("a", 1, 0.9, (0.3, 0.4, 0.5, 0.6, 0.9)),
        *transferred("b", 1, 0.5, (0.5, 0.5, 0.6, 0.7, 0.8)),
        *transferred("c", 1, 0.4, (0.4, 0.4, 0.4, 0.4, 0.7)),
    ]
    text = ranking_text([*THREE, *second], "t")
    assert "is 0.25±1.06." in text and "5.0±7.1 points below" in text


def test_the_best_compatible_method_ranks_and_a_new_head_never_does():
    new = transferred("a", 0, 0.1, (0.1, 0.2, 0.3, 0.4, 0.5), method="reinitialized")
    assert ranking_table([*new], "t") is None
    iiw = transferred("a", 0, 0.8, (0.8, 0.8, 0.8, 0.8, 0.8), method="iiw+rp")
    assert ranking_method([*THREE, *new, *iiw], "t") == "iiw+rp"


def test_before_fine_tuning_the_ranking_stands_alone():
    ranked = [r for r in THREE if r["metric"].startswith("ranking")]
    table = ranking_table(ranked, "t")
    assert list(table.header) == ["source", "before fine-tuning", "s before"]
    assert [list(row) for row in table.rows] == [
        ["b", "50.0", "0.5"],
        ["c", "40.0", "0.5"],
        ["a", "30.0", "0.5"],
    ]
    text = ranking_report(ranked)
    assert text.endswith("By 100 images for each source.")
    metrics = {"config": {}, "versions": {}, "hardware": {}, "data": {}, "durations_s": {}}
    report = REPORT.markdown({**metrics, "results": ranked})
    assert report.startswith("# Transfer learning: a to t, b to t, c to t")
    assert "## Which source for t" in report


def test_a_source_that_failed_later_has_no_figures_after_fine_tuning():
    failed = [r for r in THREE if r["source"] != "c" or r["metric"].startswith("ranking")]
    rows = [list(row) for row in ranking_table(failed, "t").rows]
    assert rows[1] == ["c", "40.0", "-", "-", "0.5", "-"]


def test_one_source_needs_no_ranking():
    alone = transferred("a", 0, 0.3, (0.3, 0.4, 0.5, 0.6, 0.9))
    assert ranking_table(alone, "t") is None
    assert "ranked" not in REPORT.terminal_text(alone)


def test_the_table_has_accuracy_at_once_after_an_epoch_and_at_the_end():
    own = make_record("own_accuracy", 0.95, network="t", method="rp", seed=0)
    table = result_table([*THREE, own], ("a", "t"))
    assert list(table.header) == ["", "recombined", "1 epoch", "2 epochs", "own extractor"]
    assert list(table.rows[0]) == ["RP", "30.0", "60.0", "90.0", "95.0"]


@pytest.mark.parametrize(
    ("method", "name"), [("rp", "RP"), ("reinitialized", "reinitialized head")]
)
def test_a_curve_tells_what_fig_5_overlays(method, name):
    records = transferred("a", 0, 0.3, (0.3, 0.4, 0.5, 0.6, 0.9), method=method)
    found = [r for r in records if r["metric"] == "accuracy"]
    drawn = curve(found, method, epoch=4)
    assert drawn.label == f"{name}: 30.0 → 60.0"
    assert list(drawn.points) == ["0", "1", "2", "1 epoch", "2 epochs"]


def test_a_figure_of_all_methods_is_legible_and_tells_accuracy_at_once_and_after_an_epoch(tmp_path):
    values = (0.1, 0.4, 0.5, 0.6, 0.9)
    records = [
        record
        for method in METHODS
        for seed in range(2)
        for record in transferred("tinyimagenet32", seed, 0.3, values, method)
    ]
    with collecting(render=False) as figures:
        REPORT.draw({"results": records}, tmp_path)
    (figure,) = figures
    assert faults(figure) == []
    assert {"pre-trained IIW+RP: 10.0 → 60.0", "reinitialized head: 10.0 → 60.0"} <= texts(figure)
