from __future__ import annotations

import pytest
from PIL import Image

from keras_compat.errors import InputError
from keras_compat.reporting import make_record, paper, write_metrics
from keras_compat.reporting.classifier_transfer import REPORT
from keras_compat.reporting.classifier_transfer.tables import deployment_table, result_table
from keras_compat.reporting.classifier_transfer.updated_head import UpdatedHead

EXTRACTORS = ("resnet56", "wide_resnet56", "mobilenet_v2")
REFERENCE = "wide_resnet56"


def run(dataset="cifar10", seeds=1, variants=("frozen_extractor",), bounds=True):
    """The records of a run with figures that tell one another apart."""
    records = []
    for seed in range(seeds):
        for variant in variants:
            for place, extractor in enumerate(EXTRACTORS):
                shift = 0.01 * place + 0.002 * seed + (0.001 if "rotation" in variant else 0)
                keys = {
                    "extractor": extractor,
                    "head": "mobilenet_v2",
                    "dataset": dataset,
                    "variant": variant,
                    "seed": seed,
                }
                batch = {"statistics": "batch", "runtime": "keras"}
                moving = {"stage": "updated", "subset": "all", "statistics": "moving"}
                headline = "reference" if extractor == REFERENCE else "recombination"
                records += [
                    make_record("accuracy", 0.95 + shift, stage="initial", **batch, **keys),
                    make_record("accuracy", 0.60 + shift, subset="old", **batch, **keys),
                    make_record("accuracy", 0.70 + shift, subset="new", **batch, **keys),
                    make_record("accuracy", 0.80 + shift, subset="all", **batch, **keys),
                    make_record(f"{headline}_accuracy", 0.80 + shift, **batch, **keys),
                    make_record("accuracy", 0.50 + shift, runtime="keras", **moving, **keys),
                    make_record("accuracy", 0.40 + shift, runtime="saved_model", **moving, **keys),
                ]
                if extractor == "mobilenet_v2":
                    records += [
                        make_record("accuracy", 0.3 + shift, runtime="litert", **moving, **keys),
                        make_record("max_logit_difference", 2e-5 * (seed + 1), **keys),
                    ]
        for extractor in EXTRACTORS if bounds else ():
            for architecture, value in (("original", 0.94), ("changed", 0.92)):
                keys = {"architecture": architecture, "extractor": extractor, "seed": seed}
                records.append(make_record("upper_bound", value, dataset=dataset, **keys))
        records.append(make_record("lower_bound", 0.5, dataset=dataset, seed=seed))
        records.append(make_record("chance", 0.1, dataset=dataset, seed=seed))
    return records


def cells(table):
    return {row[0]: dict(zip(table.header[1:], row[1:], strict=True)) for row in table.rows}


def test_each_figure_is_in_its_column():
    found = cells(result_table(UpdatedHead(run())))
    assert found["mobilenet_v2"] == {
        "old classes, before": "97.0",
        "old classes": "62.0",
        "new classes": "72.0",
        "all classes": "82.0",
        "upper bound": "94.0",
        "upper bound, changed architecture": "92.0",
        "paper": "91.6",
        "paper: upper bound": "93.3",
    }
    assert found["wide_resnet56 *"]["all classes"] == "81.0"
    assert found["wide_resnet56 *"]["paper"] == "-"


def test_seeds_give_mean_and_standard_deviation():
    found = cells(result_table(UpdatedHead(run(seeds=3))))
    assert found["resnet56"]["all classes"] == "80.2±0.2"


def test_bounds_of_fewer_seeds_stand_beside_more():
    records = [r for r in run(seeds=2) if r["metric"] != "upper_bound" or r["seed"] == 0]
    found = cells(result_table(UpdatedHead(records)))
    assert found["resnet56"]["upper bound"] == "94.0"
    assert "±" in found["resnet56"]["all classes"]


def test_columns_without_records_are_left_out():
    header = result_table(UpdatedHead(run(bounds=False))).header
    assert not [name for name in header if name.startswith("upper bound")]


def test_on_other_data_the_papers_column_says_so():
    header = result_table(UpdatedHead(run("digits"))).header
    assert "CIFAR-10 paper" in header
    assert "paper" not in header


def test_the_paper_has_no_figures_for_the_variant_of_b7():
    variants = ("frozen_extractor", "frozen_rotation")
    table = result_table(UpdatedHead(run(variants=variants), "frozen_rotation"))
    assert "paper" not in table.header
    assert cells(table)["resnet56"]["all classes"] == "80.1"


def test_deployment_follows_the_way_to_the_files():
    found = cells(deployment_table(UpdatedHead(run(seeds=2))))
    assert found["mobilenet_v2"] == {
        "Keras, batch statistics": "82.1±0.1",
        "Keras, moving statistics": "52.1±0.1",
        "SavedModel": "42.1±0.1",
        "LiteRT": "32.1±0.1",
        "LiteRT: largest logit difference": "4.0e-05",
    }
    assert found["resnet56"]["LiteRT"] == "-"


def test_no_deployment_table_where_nothing_was_deployed():
    records = [r for r in run() if r.get("statistics") != "moving"]
    assert deployment_table(UpdatedHead(records)) is None


def test_terminal_text_holds_tables_bounds_and_the_mark():
    text = REPORT.terminal_text(run("digits", variants=("frozen_extractor", "frozen_rotation")))
    assert text.count("Accuracy with the updated head") == 2
    assert "Lower bound, the old classes' share of the test images: 50.0." in text
    assert "Chance: 10.0." in text
    assert "The star marks the reference" in text
    assert max(map(len, text.splitlines())) <= 110


def test_files_run_on_a_part_of_the_test_images_say_so():
    records = run()
    assert "files were run on" not in REPORT.terminal_text(records)
    records = [{**r, "images": 2000} if r.get("runtime") == "litert" else r for r in records]
    assert "files were run on 2,000 of the test images." in REPORT.terminal_text(records)


def test_report_and_figures_are_written_from_metrics_alone(tmp_path):
    metrics = write_metrics(
        tmp_path / "metrics.json",
        experiment="classifier_transfer",
        config={"preset": "demo", "extractors": list(EXTRACTORS)},
        data={"cifar10": {"counts": {"train": 10}}},
        durations_s={"joint": 3.2},
        results=run(seeds=2, variants=("frozen_extractor", "frozen_rotation")),
    )
    written = REPORT.write(metrics, tmp_path / "out")
    assert [p.relative_to(tmp_path / "out").as_posix() for p in written] == [
        "report.md",
        "figures/figure4.png",
        "figures/figure11.png",
    ]
    text = written[0].read_text()
    assert "# Classifier transfer on cifar10" in text
    assert "- extractors: resnet56, wide_resnet56, mobilenet_v2" in text
    assert "- cifar10: counts train 10" in text
    for path in written[1:]:
        assert f"](figures/{path.name})" in text
        width, height = Image.open(path).size
        assert width > 900
        assert height > 500


def test_figure_11_needs_both_variants(tmp_path):
    assert [p.name for p in REPORT.draw({"results": run()}, tmp_path)] == ["figure4.png"]
    only_rotation = run(variants=("frozen_rotation",))
    assert [p.name for p in REPORT.draw({"results": only_rotation}, tmp_path)] == ["figure4.png"]


def test_records_of_several_data_sets_are_refused():
    with pytest.raises(InputError, match="cifar10, digits"):
        result_table(UpdatedHead(run() + run("digits")))


def test_records_of_another_experiment_are_refused(tmp_path):
    with pytest.raises(InputError, match="recombination_accuracy"):
        REPORT.draw({"results": [make_record("accuracy", 0.5)]}, tmp_path)


@pytest.mark.parametrize(
    "dataset, expected",
    [
        ("cifar10", True),
        ("npz:CIFAR-10.npz", True),
        ("cifar10:3.0.2", True),
        ("cifar100", False),
        ("cifar10_1", True),
        ("digits", False),
    ],
)
def test_cifar10_is_told_from_its_relatives(dataset, expected):
    assert paper.is_cifar10(dataset) is expected
