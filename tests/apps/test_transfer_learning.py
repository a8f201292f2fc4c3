"""Transfer learning as a user runs it, on small sets of pictures; the networks are tiny."""

import shutil
from itertools import combinations

import keras
import numpy as np
import pytest

from apps import components, transfer_learning
from keras_compat.data import load, stratified_split
from keras_compat.evaluation import accuracy, predict_logits
from keras_compat.experiments.stored_network import load_network
from keras_compat.reporting import load_metrics, select
from keras_compat.reporting.transfer_learning.ranking import ranking_table
from keras_compat.store import Store
from tests.apps.small_runs import few_steps

# On JAX the parts that train are tested by themselves.
pytestmark = [pytest.mark.once, pytest.mark.usefixtures("eager")]
METHODS = "--methods=iiw+rp"


@pytest.fixture(scope="module")
def flags(sets):
    sources = f"--sources={sets.animals},{sets.more}"
    return few_steps("transfer_learning", sets.animals, sets.things, sources, "--epochs=2")


@pytest.fixture(scope="module")
def finished(flags, made_once):
    return made_once(
        "transfer/run",
        lambda place: transfer_learning.run([*flags, METHODS, f"--output_dir={place}"]),
        "metrics.json",
    )


def finished_target(place):
    config = load_metrics(place / "metrics.json")["config"]
    return config["targets"][0]


def records_of(place, **keys):
    return select(load_metrics(place / "metrics.json")["results"], **keys)


def test_a_run_leaves_a_report_and_a_figure_for_each_source(finished):
    files = {str(p.relative_to(finished)) for p in finished.rglob("*") if p.is_file()}
    expected = {"metrics.json", "config.json", "report.md"}
    expected |= {f"figures/{name}_to_things.png" for name in ("animals", "more")}
    for name in ("rotation_head", "things_iiw+rp", "animals_to_things_iiw+rp"):
        expected |= {f"networks/{name}/{part}.keras" for part in ("extractor", "head")}
    assert expected <= files, sorted(expected - files)
    assert [p.name for p in finished.parent.iterdir()] == ["run"]


def test_accuracy_is_taken_at_once_and_on_the_way(finished):
    found = records_of(finished, metric="accuracy", source="more", target="things")
    assert [r["steps"] for r in found] == [0, 1, 2, 3, 4, 6]
    assert {r["value"] for r in records_of(finished, metric="steps_an_epoch")} == {3}
    assert {r["value"] for r in records_of(finished, metric="chance")} == {0.25}


def test_what_is_tested_is_the_sources_extractor_with_the_targets_head(finished):
    """Of parts that the steps left, before any fine-tuning; both have four outputs."""
    steps = finished / "steps"
    source = load_network(steps / "animals_iiw+rp_seed0" / "networks")
    target = load_network(steps / "things_iiw+rp_seed0" / "networks")
    test = load(finished_target(finished)).test
    logits, labels = predict_logits(source.extractor, target.head, test, 20)
    expected = accuracy(logits, labels, class_average=True)
    other, _ = predict_logits(target.extractor, source.head, test, 20)
    assert accuracy(other, labels, class_average=True) != expected
    keys = {"metric": "accuracy", "source": "animals", "method": "iiw+rp", "steps": 0}
    assert [r["value"] for r in records_of(finished, **keys)] == [pytest.approx(expected)]


def test_the_fine_tuned_network_can_be_published_and_is_as_good_as_was_measured(finished, tmp_path):
    folder = finished / "networks" / "animals_to_things_iiw+rp"
    parts = str(tmp_path / "parts")
    components.run(["publish", parts, "tuned@1", f"--network={folder}"])
    assert Store(parts).versions("tuned-head") == ["1"]
    network = load_network(folder)
    dataset = load(finished_target(finished))
    assert network.class_names == dataset.class_names
    logits, labels = predict_logits(network.extractor, network.head, dataset.test, 20)
    keys = {"metric": "accuracy", "source": "animals", "method": "iiw+rp", "steps": 6}
    (record,) = records_of(finished, **keys)
    assert accuracy(logits, labels, class_average=True) == pytest.approx(record["value"])


def rotation_kernels(place, method):
    found = []
    for path in (place / "steps").glob(f"*{method}*/networks/rotation_head.keras"):
        model = keras.saving.load_model(path, compile=False)
        found.append(np.asarray(model.get_layer("logits").kernel))
    return found


def test_compatible_networks_hold_the_same_rotation_head(finished):
    (first,) = rotation_kernels(finished, "rotation_head_seed0")
    held = rotation_kernels(finished, "iiw+rp")
    assert len(held) == 3
    assert all(np.array_equal(first, kernel) for kernel in held)


def test_sources_are_ranked_by_training_images_before_fine_tuning(finished):
    keys = {"method": "iiw+rp", "target": "things"}
    found = records_of(finished, metric="ranking_accuracy", **keys)
    by_source = {r["source"]: r["value"] for r in found}
    table = ranking_table(records_of(finished), "things")
    assert [row[0] for row in table.rows] == sorted(by_source, key=lambda s: -by_source[s])
    assert {r["value"] for r in records_of(finished, metric="ranking_images")} == {20}
    train = load(finished_target(finished)).train
    (chosen,) = stratified_split(train.labels, [20], 801)
    head = load_network(finished / "networks" / "things_iiw+rp").head
    for source, value in by_source.items():
        extractor = load_network(finished / "networks" / f"{source}_iiw+rp").extractor
        logits, labels = predict_logits(extractor, head, train.subset(np.asarray(chosen)), 20)
        assert accuracy(logits, labels, class_average=True) == pytest.approx(value)
    report = (finished / "report.md").read_text()
    assert "## Which source for things" in report and "points below the best" in report


@pytest.mark.slow
def test_the_ranking_is_told_before_any_fine_tuning_and_can_be_all(flags, tmp_path, capsys):
    place = tmp_path / "run"
    ranking = [*flags, "--methods=independent", f"--output_dir={place}", "--epochs=0"]
    transfer_learning.run(ranking)
    said = capsys.readouterr().out
    assert said.count("ranked before fine-tuning") == 1
    assert not records_of(place, metric="accuracy")
    assert records_of(place, metric="ranking_accuracy")
    before = records_of(place, metric="own_accuracy")
    transfer_learning.run([*ranking, "--epochs=1", "--overwrite"])
    said = capsys.readouterr().out
    assert said.index("ranked before fine-tuning") < said.index("animals_to_things")
    # No network is trained again, and the ranking is the same.
    assert "5 of 5 work items are finished already" in said
    assert records_of(place, metric="own_accuracy") == before
    assert records_of(place, metric="accuracy")


@pytest.mark.slow
def test_a_finished_run_grows_and_keeps_what_it_has(flags, finished, tmp_path, capsys):
    place = tmp_path / "run"
    shutil.copytree(finished, place)
    methods = "--methods=iiw+rp,independent,reinitialized"
    transfer_learning.run([*flags, methods, f"--output_dir={place}", "--overwrite"])
    said = capsys.readouterr().out
    assert "6 of 11 work items are finished already" in said
    assert "2 of 6 work items are finished already" in said
    keys = {"metric": "accuracy", "method": "iiw+rp"}
    assert records_of(place, **keys) == records_of(finished, **keys)
    # The baselines hold a rotation head each, and one of them starts with a new head.
    own = rotation_kernels(place, "independent")
    assert len(own) == 3
    assert not any(np.array_equal(a, b) for a, b in combinations(own, 2))
    at_once = [
        [r["value"] for r in records_of(place, metric="accuracy", method=method, steps=0)]
        for method in ("independent", "reinitialized")
    ]
    assert len(at_once[0]) == len(at_once[1]) == 2 and at_once[0] != at_once[1]
