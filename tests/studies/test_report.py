from __future__ import annotations

import re

import pytest
from PIL import Image

from keras_compat.errors import InputError
from keras_compat.methods import FIGURE_2
from keras_compat.reporting import make_record
from keras_compat.studies import STUDIES
from keras_compat.studies.analysis import Analysis
from keras_compat.studies.report import REPORT
from tests.reporting.legibility import collecting, faults, texts
from tests.studies.records import SPLITS, run

CONFIG = {
    "architectures": ["resnet:depth=20@stage2"],
    "restrict": True,
    "training": {"rounds": 4500, "batch_size": 64},
    "pretraining_dataset": "imagenet32",
}
PICTURES = {
    "methods": ["figure2.png", "figure10_cifar10.png", "figure10_stl10.png", "matrix.png"]
    + ["figure3.png"],
    "incremental": [],
    "pretrained": ["pretrained.png", "figure3.png"],
    "same_data": ["figure7.png"],
    "normalization": ["figure6.png", "batch_size.png"],
    "splits": ["figure8.png"],
    "common_classes": ["figure9.png"],
    "baselines": ["baselines.png"],
    "auxiliaries": ["auxiliaries.png"],
    "rotation": ["rotation.png"],
    "signals": ["signals.png"],
    "calibration": ["calibration.png"],
    "cost": ["cost.png", "cost_networks.png"],
}


def metrics(records, config=CONFIG, data=None):
    sections = {"versions": {"keras": "3.15.1"}, "hardware": {"cores": 2}}
    sections |= {"data": data or {}, "durations_s": {"train": 3.2}}
    return {**sections, "config": config, "results": records}


def tables(text):
    """The cells of a report by table, row and column; of tables of one name, the first."""
    found = {}
    for block in text.split("\n\n"):
        lines = [line for line in block.splitlines() if line.startswith("|")]
        if lines:
            header, _, *rows = [[c.strip() for c in line[1:-1].split(" | ")] for line in lines]
            cells = {row[0]: dict(zip(header[1:], row[1:], strict=True)) for row in rows}
            found.setdefault(header[0], cells)
    return found


def table(records, name, config=CONFIG):
    return tables(REPORT.markdown(metrics(records, config)))[name]


def pair(a, b, study="methods", method="rp", seed=0, **keys):
    """Recombination accuracies of two networks, without noise."""
    keys = {"study": study, "method": method, "seed": seed, **keys}
    records = [
        make_record("recombination_accuracy", v, extractor=e, head=h, dataset=e, **keys)
        for e, h, v in (("cifar10", "stl10", a), ("stl10", "cifar10", b))
    ]
    mean = (a + b) / 2
    return [*records, make_record("recombination_accuracy", mean, dataset="average", **keys)]


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """All studies, two networks on the paper's data, three seeds: folder, files and figures."""
    folder = tmp_path_factory.mktemp("full")
    data = {"cifar10": {"train": {"count": 50000}}, "stl10": {"train": {"count": 5000}}}
    with collecting() as figures:
        written = REPORT.write(metrics(run(seeds=3), data=data), folder)
    return folder, written, figures


def test_everything_measured_is_in_the_report(full):
    folder, written, _ = full
    names = [p.relative_to(folder).as_posix() for p in written]
    expected = list(dict.fromkeys(p for study in STUDIES for p in PICTURES[study]))
    assert sorted(names) == sorted(["report.md", *(f"figures/{p}" for p in expected)])
    text = written[0].read_text()
    assert text.startswith("# Compatibility analysis on cifar10, stl10\n")
    for path in written[1:]:
        assert f"](figures/{path.name})" in text
        assert min(Image.open(path).size) > 500
    for title in ("Settings", "Versions", "Hardware"):
        assert f"## {title}\n" in text


def test_every_figure_is_legible(full):
    _, (_, *paths), figures = full
    found = {p.name: faults(f) for p, f in zip(paths, figures, strict=True)}
    assert {name: those for name, those in found.items() if those} == {}


def test_three_networks_of_one_seed_are_legible(tmp_path):
    networks = ("digits", "mnist5k", "usps")
    records = run(networks, studies=("methods", "incremental"))
    with collecting(render=False) as figures:
        drawn = REPORT.draw(metrics(records), tmp_path)
    assert [x for figure in figures for x in faults(figure)] == []
    assert "figure10_usps.png" in [p.name for p in drawn]
    assert "recombined (paper)" not in texts(figures[0])
    found = table(records, "extractor")
    assert len(found) == 3 * len(FIGURE_2)
    assert set(found["RP: extractor of usps"]) == {f"head of {n}" for n in networks}


@pytest.mark.parametrize("study", STUDIES)
def test_each_study_stands_alone(study, tmp_path):
    records = run(studies=(study,))
    text = REPORT.markdown(metrics(records))
    assert sorted(re.findall(r"\]\(figures/(.+?)\)", text)) == sorted(PICTURES[study])
    # Nothing is asked of a study that was not run.
    titles = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert len(titles) == len(set(titles)) >= 5
    assert REPORT.terminal_text(records).count("\n") > 5


def own(value, study="methods", method="rp", seed=0, subset="common", **keys):
    """Accuracies of two networks that are not recombined."""
    keys = {"study": study, "method": method, "seed": seed, "subset": subset, **keys}
    return [
        make_record("own_accuracy", v, network=n, dataset=n, **keys)
        for n, v in (("cifar10", value + 0.05), ("stl10", value - 0.05))
    ]


def test_the_main_table_has_each_figure_in_its_column():
    method = {"method": "iiw+rp+dcc"}
    records = pair(0.8, 0.7, **method) + own(0.86, **method) + own(0.87, subset="all", **method)
    records += own(0.8, method="upper_bound") + pair(0.1, 0.1, method="upper_bound")
    correlation = {"study": "methods", "seed": 0, "extractor_a": "cifar10", "extractor_b": "stl10"}
    records.append(make_record("cross_correlation", 0.4, **correlation, **method))
    found = table(records, "method")
    assert found["IIW+RP+DCC"] == {
        "recombined, on cifar10": "80.0",
        "recombined, on stl10": "70.0",
        "recombined, average": "75.0",
        "own head, common classes": "86.0",
        "own head, all classes": "87.0",
        "compatibility": "0.94",
        "cross-correlation": "0.40",
        "paper: recombined, average": "76.7",
        "paper: own head": "86.3",
        "paper: compatibility": "0.90",
    }
    # A bound is not recombined, whatever was measured.
    for column in ("recombined, average", "compatibility", "cross-correlation"):
        assert found["upper bound"][column] == "-"
    assert found["upper bound"]["own head, common classes"] == "80.0"


def test_a_study_of_fewer_seeds_has_the_bound_of_these():
    records = [
        r for seed in range(3) for r in own(0.6 + seed / 10, method="upper_bound", seed=seed)
    ]
    records += pair(0.7, 0.7, study="splits", seed=1, split="stem")
    analysis = Analysis(records)
    assert analysis.upper_bound("splits").mean == pytest.approx(0.7)
    assert analysis.upper_bound("methods").count == 3


def test_compatibility_is_measured_by_the_higher_bound():
    records = pair(0.6, 0.6) + own(0.75, method="upper_bound")
    without = own(0.8, method="upper_bound_without_rotation")
    text = "whichever is higher: here without a rotation head"
    assert table(records, "method")["RP"]["compatibility"] == "0.80"
    assert text not in REPORT.markdown(metrics(records))
    assert table(records + without, "method")["RP"]["compatibility"] == "0.75"
    assert text in REPORT.markdown(metrics(records + without))


def test_compatibility_is_a_ratio_within_each_seed():
    records = []
    for seed, (recombined, bound) in enumerate([(0.4, 0.8), (0.45, 0.9), (0.9, None)]):
        records += pair(recombined, recombined, seed=seed)
        records += [] if bound is None else own(bound, method="upper_bound", seed=seed)
    assert table(records, "method")["RP"]["compatibility"] == "0.50±0.00"


def test_spreads_are_over_seeds_and_not_over_networks():
    records = pair(0.8, 0.2) + pair(0.8, 0.2, seed=1)
    assert table(records, "method")["RP"]["recombined, average"] == "50.0±0.0"
    text = REPORT.markdown(metrics(records))
    assert "sample standard deviations over seeds, 2 at most" in text
    assert "no standard deviations" in REPORT.markdown(metrics(pair(0.8, 0.2)))


def test_a_records_other_settings_do_not_reach_the_main_table():
    others = [
        {"statistics": "moving"},
        {"baseline": "swap"},
        {"split": "stem"},
        {"variant": "weight 3"},
        {"pretrained": True},
    ]
    records = pair(0.8, 0.7) + [r for keys in others for r in pair(0.1, 0.1, **keys)]
    assert table(records, "method")["RP"]["recombined, average"] == "75.0"


def test_the_report_says_whether_predictions_are_restricted():
    records = pair(0.8, 0.7)
    assert "**restricted to the common classes**" in REPORT.markdown(metrics(records))
    text = REPORT.markdown(metrics(records, {"restrict": False}))
    assert "Predictions are **not** restricted" in text
    assert "not restricted" in REPORT.terminal_text(records, {"restrict": False})


def test_the_terminal_ends_with_the_main_table():
    lines = REPORT.terminal_text(run(seeds=2)).splitlines()
    assert lines[-1].split()[:4] == ["upper", "bound,", "no", "RP"]
    assert lines[-3].startswith("IIW+RP+DCC")
    assert any(line.startswith("Cost of training") for line in lines)
    assert max(map(len, lines)) < 140


def test_this_run_stands_beside_the_papers(full):
    beside = tables(full[1][0].read_text())[""]
    assert beside["network"] == {
        "here": "resnet:depth=20@stage2",
        "paper": "ResNet-56, split after stage 2",
    }
    assert beside["training images"]["here"] == "50,000 and 5,000"
    assert beside["training"]["here"] == "4,500 rounds of 64 images"
    assert beside["seeds"]["here"] == "3"


def test_the_papers_bars_are_drawn_on_its_data_only(full):
    assert "recombined (paper)" in texts(full[2][0])


def test_the_orders_of_incremental_training_are_averaged_where_all_are_there():
    keys = {"study": "incremental", "scheme": "incremental"}
    records = pair(0.8, 0.8, study="incremental") + pair(0.7, 0.7, first="cifar10", **keys)
    records += pair(0.5, 0.5, first="stl10", **keys)
    # A run that was stopped: the second seed lacks an order.
    records += pair(0.1, 0.1, first="stl10", seed=1, **keys)
    found = {row: cells["recombined, average"] for row, cells in table(records, "training").items()}
    assert found == {
        "RP, joint": "80.0",
        "RP, cifar10 first": "70.0",
        "RP, stl10 first": "30.0±28.3",
        "RP, incremental": "60.0",
    }
    assert "it costs 20.0 points with RP" in REPORT.markdown(metrics(records))


def test_on_one_data_set_the_distance_to_the_bound_is_given():
    records = pair(0.9, 0.9, study="same_data", method="iiw+rp")
    records += pair(0.85, 0.85, study="same_data", method="rp")
    records += own(0.91, study="same_data", method="upper_bound")
    found = table(records, "method")
    assert found["IIW+RP"]["points below the upper bound"] == "1.0"
    assert found["IIW+RP"]["paper (CIFAR-10): points below"] == "at most 1.1"
    assert found["RP"]["points below the upper bound"] == "6.0"
    assert "Here these are: IIW+RP." in REPORT.markdown(metrics(records))


def test_normalization_names_what_differs_from_batch_statistics():
    found = table(run(studies=("normalization",)), "normalization")
    assert list(found) == [
        "batch statistics",
        "moving statistics, as trained",
        "statistics of the test set",
        "layer normalization",
        "instance normalization",
        "features of unit length",
        "loss for unit length",
    ]
    paper = {row: cells["paper: recombined, average"] for row, cells in found.items()}
    assert paper.pop("moving statistics, as trained") == "32.4"
    assert set(paper.values()) == {"-"}
    sizes = table(run(studies=("normalization",)), "recombined, images in a batch")
    assert list(sizes["batch statistics"]) == [str(2**n) for n in range(10)]


def test_batch_statistics_are_a_curve_and_recalibrated_ones_a_level(tmp_path):
    with collecting() as figures:
        REPORT.draw(metrics(run(studies=("normalization",))), tmp_path)
    lines = figures[1].axes[0].get_lines()
    assert [len(line.get_xdata()) for line in lines if line.get_marker() == "o"] == [10]
    assert " statistics of the test set\n 71.5" in texts(figures[1])


def test_splits_are_in_the_networks_order():
    rows = list(table(run(studies=("splits",)), "split after"))
    assert rows == [f"{method}: {split}" for method in ("IIW+RP", "RP") for split in SPLITS]


def test_pre_trained_networks_have_a_bound_of_their_own(tmp_path):
    records = pair(0.4, 0.4, study="pretrained") + own(0.8, "pretrained", "upper_bound")
    records += pair(0.3, 0.3, study="pretrained", pretrained=True)
    records += own(0.9, "pretrained", "upper_bound", pretrained=True)
    row = table(records, "method")["RP"]
    assert row["recombined, average"] == "30.0"
    assert row["from random weights"] == "40.0"
    assert row["compatibility"] == "0.33"
    with collecting() as figures:
        REPORT.draw(metrics(records), tmp_path)
    assert {" upper bound\n 80.0", " upper bound, pre-trained\n 90.0"} <= texts(figures[0])
    assert "images are imagenet32" in REPORT.markdown(metrics(records))


def test_all_common_classes_are_counted_and_the_control_is_told_apart(tmp_path):
    found = table(run(studies=("common_classes",)), "classes of the shared head")
    assert list(found)[0] == "IIW+DCC: 2"
    assert list(found)[7:9] == ["IIW+DCC: 9", "IIW+DCC: all, images of 2 classes"]
    # Those that discriminate no classes stand beside.
    assert list(found)[-3:] == ["IIW", "RP", "IIW+RP"]
    with collecting() as figures:
        REPORT.draw(metrics(run(studies=("common_classes",))), tmp_path)
    curves = {line.get_label(): list(line.get_xdata()) for line in figures[0].axes[0].get_lines()}
    assert curves["IIW+DCC"] == list(range(2, 10))
    assert curves["IIW+DCC, control: all classes, as many images"] == list(range(2, 9))


def test_baselines_say_what_they_need():
    found = table(run(studies=("baselines",)), "baseline")
    assert found["stitching"]["needs"] == "labels, 200 steps"
    assert set(found["stitching"]) == {"independent", "IIW+RP+DCC", "needs"}
    assert list(found)[0] == "none, batch statistics"
    records = [{k: v for k, v in r.items() if k != "needs"} for r in run(studies=("baselines",))]
    assert "needs" not in table(records, "baseline")["stitching"]


def test_other_auxiliaries_stand_beside_rotation():
    records = [
        record
        for method, value in (("rp", 0.5), ("jigsaw", 0.4), ("iiw+fm", 0.7))
        for record in pair(value, value, study="auxiliaries", method=method)
    ]
    found = {row: c["recombined, average"] for row, c in table(records, "method").items()}
    assert found == {"RP": "50.0", "jigsaw": "40.0", "IIW+FM": "70.0"}


def test_rotations_variants_start_from_the_runs_own_setting():
    records = pair(0.5, 0.5, study="rotation")
    records += pair(0.6, 0.6, study="rotation", variant="weight 3")
    found = {row: c["recombined, average"] for row, c in table(records, "changed").items()}
    assert found == {"RP: nothing": "50.0", "RP: weight 3": "60.0"}


def test_rotations_variants_are_measured_by_their_own_networks_too():
    keys = {"study": "rotation", "method": "rp"}
    records = pair(0.5, 0.5, **keys) + own(0.8, **keys)
    records += pair(0.5, 0.5, variant="weight 3", **keys) + own(0.625, variant="weight 3", **keys)
    records += own(0.8, study="rotation", method="upper_bound")
    rows = table(records, "changed")
    assert {row: cells["compatibility"] for row, cells in rows.items()} == {
        "RP: nothing": "0.62",
        "RP: weight 3": "0.62",
    }
    assert {row: cells["recombined / own head"] for row, cells in rows.items()} == {
        "RP: nothing": "0.62",
        "RP: weight 3": "0.80",
    }


def test_signals_are_ordered_by_spearman_over_recombined_pairs_and_with_own_heads():
    found = []
    # The first signal puts recombined pairs in the right order, the second in the opposite one.
    for number, (e, h) in enumerate([("a", "b"), ("b", "a"), ("a", "c"), ("a", "a"), ("b", "b")]):
        keys = {"study": "signals", "method": "rp", "seed": 0, "extractor": e, "head": h}
        values = {
            "accuracy": number / 10,
            "information": number**2 / 16,
            "agreement": 1 - number / 10,
        }
        if number == 3:
            values["agreement"] = 2
        for name, value in values.items():
            found.append(make_record("compatibility_signal", value, signal=name, **keys))
    rows = table(found, "signal")
    assert {row: list(cells.values()) for row, cells in rows.items()} == {
        "information": ["1.00", "1.00", "3"],
        "agreement": ["-1.00", "-0.40", "3"],
        "combined": ["1.00", "0.90", "3"],
    }


def test_a_verdict_is_beside_what_pairs_reach_of_the_heads_own_accuracy():
    found = []
    for e, h, accuracy, recovered in (
        *(("a", "a", 0.9, 1.0), ("b", "b", 0.8, 1.0)),
        *(("a", "b", 0.8, 0.5), ("b", "a", 0.45, 0.3)),
    ):
        keys = {"study": "signals", "method": "rp", "seed": 0, "extractor": e, "head": h}
        for name, value in (("accuracy", accuracy), ("recovered", recovered)):
            found.append(make_record("compatibility_signal", value, signal=name, **keys))
    rows = {row: list(cells.values()) for row, cells in table(found, "verdict").items()}
    assert rows == {
        "works": ["1", "1.00", "1.00", "1.00"],
        "works in part": ["1", "0.50", "0.50", "0.50"],
    }


def test_moving_statistics_stand_beside_batches_for_each_pair_and_on_average():
    found = []
    values = {("a", "b"): {16: 0.5, 64: 0.6, 256: 0.7}, ("b", "a"): {16: 0.7, 64: 0.8}}
    for (e, h), curve in values.items():
        keys = {"study": "calibration", "method": "dcc", "seed": 0, "extractor": e, "head": h}
        keys["dataset"] = e
        found.append(make_record("recombination_accuracy", 0.75, **keys))
        for images, value in curve.items():
            name = "recombination_accuracy_by_calibration_images"
            found.append(make_record(name, value, images=images, **keys))
    pairs = table(found, "every pair")
    assert list(pairs["DCC: a with the head of b"].values()) == [
        *("50.0", "60.0", "70.0", "75.0")
    ] + ["-5.0"]
    assert pairs["DCC: b with the head of a"]["256"] == "-"
    mean = table(found, "method, mean over pairs")["DCC"]
    # Where a pair is missing there is no mean.
    assert list(mean.values()) == ["60.0", "70.0", "-", "75.0", "-5.0"]


def test_cost_is_in_milliseconds_and_billions():
    keys = {"study": "cost", "method": "rp", "networks": 2, "seed": 0}
    records = [
        make_record("step_time_s", 0.0423, **keys),
        make_record("step_time_ratio", 1.98, **keys),
        make_record("flops_per_step", 12.3e9, **keys),
    ]
    row = table(records, "method")["RP"]
    assert (row["step [ms]"], row["step, ratio"], row["step [GFLOP]"]) == ("42.3", "1.98", "12.3")


def test_records_of_another_experiment_are_refused(tmp_path):
    with pytest.raises(InputError, match="compatibility_analysis"):
        REPORT.draw(metrics([make_record("accuracy", 0.5)]), tmp_path)
