"""Domain adaptation as a user runs it, on small sets of pictures; the networks are tiny."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from apps import domain_adaptation
from keras_compat.data import load, without_labels
from keras_compat.errors import InputError
from keras_compat.evaluation import accuracy, predict_logits
from keras_compat.experiments.domain_adaptation.adaptation import hold_out, mutual_information
from keras_compat.experiments.stored_network import load_network
from keras_compat.reporting import load_metrics, select
from tests.experiments.two_sets import THINGS

# On JAX the parts that train are tested by themselves.
pytestmark = [pytest.mark.once, pytest.mark.usefixtures("eager")]

TINY = [
    "--image_size=8",
    "--architecture=resnet8:filters=4@stage2",
    "--batch_size=16",
    "--rounds=2",
    "--adaptation_rounds=2",
    "--checkpoints=2",
    "--learning_rates=1e-2",
    "--evaluation_batch_size=20",
    "--layers=all",
    "--held_out=0.25",
    "--no-augment",  # a step takes seconds to compile, however few rounds it is for
]
ADAPT = [flag for flag in TINY if not flag.startswith(("--image", "--arch", "--rounds"))]


@pytest.fixture(scope="module")
def domains(sets):
    return [f"--source={sets.animals}", f"--target={sets.things}"]


@pytest.fixture(scope="module")
def finished(domains, made_once):
    return made_once(
        "adaptation/run",
        lambda place: domain_adaptation.run([*TINY, *domains, f"--output_dir={place}"]),
        "metrics.json",
    )


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of pictures that nobody has sorted."""
    folder = tmp_path_factory.mktemp("pictures")
    generator = np.random.default_rng(0)
    for number in range(32):
        pixels = generator.integers(0, 255, (9, 9), "uint8")
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def accuracies(place, **keys):
    records = load_metrics(place / "metrics.json")["results"]
    return {
        (r["source"], r["target"]): r["value"] for r in select(records, metric="accuracy", **keys)
    }


def test_a_run_leaves_figures_report_and_networks_of_both_directions(finished):
    files = {str(p.relative_to(finished)) for p in finished.rglob("*") if p.is_file()}
    expected = {"metrics.json", "config.json", "report.md"}
    for name in ("animals_to_things", "things_to_animals"):
        expected |= {f"figures/{name}_{what}.png" for what in ("accuracy", "loss", "information")}
        expected |= {f"networks/{name}/{part}.keras" for part in ("extractor", "head")}
    expected |= {f"networks/animals/{part}.keras" for part in ("extractor", "rotation_head")}
    assert expected <= files, sorted(expected - files)
    assert [p.name for p in finished.parent.iterdir()] == ["run"]


def test_every_row_of_table_2_is_there_in_both_directions(finished):
    both = {("animals", "things"), ("things", "animals")}
    assert accuracies(finished, network="as_it_is").keys() == both
    assert accuracies(finished, network="test_statistics").keys() == both
    for chosen_by in ("published", "mutual_information", "loss", "labels"):
        found = accuracies(finished, network="adapted", chosen_by=chosen_by)
        assert found.keys() == both
        # Nothing is better than the best, which is with labels.
        best = accuracies(finished, network="adapted", chosen_by="labels")
        assert all(found[d] <= best[d] for d in both)


def test_before_any_step_it_is_the_source_network_with_test_statistics(finished):
    records = load_metrics(finished / "metrics.json")["results"]
    plain = accuracies(finished, network="test_statistics")
    start = select(records, metric="accuracy_on_the_way", rounds=0)
    assert len(start) == 4  # two ways in two directions
    for record in start:
        assert record["value"] == plain[record["source"], record["target"]]


def test_the_stored_network_is_the_one_that_was_chosen(finished, domains):
    stored = load_network(finished / "networks" / "animals_to_things")
    source = load_network(finished / "networks" / "animals")
    for ours, theirs in zip(
        stored.head.trainable_weights, source.head.trainable_weights, strict=True
    ):
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))
    records = load_metrics(finished / "metrics.json")["results"]
    keys = {"metric": "chosen_rounds", "source": "animals", "chosen_by": "mutual_information"}
    (chosen,) = select(records, **keys)
    moved = any(
        not np.array_equal(np.asarray(a), np.asarray(b))
        for a, b in zip(
            stored.extractor.trainable_weights, source.extractor.trainable_weights, strict=True
        )
    )
    assert moved == (chosen["value"] > 0)
    # As its answers to the held-out images show: of all rounds and ways on offer it is the best.
    images = without_labels(load(domains[1].partition("=")[2]).select_classes([3, 2, 1]))
    _, held_out = hold_out(SimpleNamespace(held_out=0.25), images, seed=0)
    information = mutual_information(stored.extractor, stored.head, held_out, 20)
    offered = select(records, metric="mutual_information", source="animals")
    assert len({record["value"] for record in offered}) > 2
    assert information == pytest.approx(max(record["value"] for record in offered), rel=1e-5)


def test_the_stored_network_classifies_single_images_as_was_measured(finished, domains):
    """With its moving statistics, which are of the target."""
    stored = load_network(finished / "networks" / "animals_to_things")
    test = load(domains[1].partition("=")[2]).select_classes([3, 2, 1]).test  # cat, dog, car
    logits, labels = predict_logits(stored.extractor, stored.head, test, 1, "moving")
    (measured,) = accuracies(
        finished, source="animals", network="adapted_target_statistics"
    ).values()
    assert accuracy(logits, labels, class_average=True) == pytest.approx(measured)


def test_a_stored_network_adapts_to_a_folder_of_pictures_without_its_source(
    finished, pictures, tmp_path
):
    network = finished / "networks" / "animals"
    place = tmp_path / "run"
    flags = [*ADAPT, f"--network={network}", f"--target=folder:{pictures}", "--batch_size=8"]
    domain_adaptation.run([*flags, f"--output_dir={place}"])
    records = load_metrics(place / "metrics.json")["results"]
    assert {r["metric"] for r in records} == {
        "held_out_loss",
        "mutual_information",
        "chosen_rounds",
    }
    (name,) = (p.name for p in (place / "networks").iterdir())
    assert name == f"animals_to_{pictures.name}".replace("-", "_")
    assert load_network(place / "networks" / name).class_names == ("cat", "dog", "automobile")
    assert "Accuracy" not in (place / "report.md").read_text()


def test_a_stored_network_is_tested_on_the_classes_that_the_target_has(finished, domains, tmp_path):
    """Of the same images with one class less: what is left counts, and is chosen among."""
    with np.load(domains[1].partition("npz:")[2]) as file:
        arrays = dict(file)
    cars = list(THINGS).index("car")
    for split in ("train", "test"):
        kept = arrays[f"y_{split}"] != cars
        arrays[f"x_{split}"], labels = arrays[f"x_{split}"][kept], arrays[f"y_{split}"][kept]
        arrays[f"y_{split}"] = labels - (labels > cars)
    arrays["classes"] = np.delete(arrays["classes"], cars)
    np.savez(tmp_path / "fewer.npz", **arrays)
    place = tmp_path / "run"
    flags = [*ADAPT, f"--network={finished / 'networks' / 'animals'}", f"--output_dir={place}"]
    domain_adaptation.run([*flags, f"--target=npz:{tmp_path / 'fewer.npz'}"])
    assert list(accuracies(place, network="as_it_is")) == [("animals", "fewer")]


@pytest.mark.slow
def test_a_stored_network_that_changed_is_adapted_again(finished, pictures, tmp_path, capsys):
    network = shutil.copytree(finished / "networks" / "animals", tmp_path / "network")
    place = tmp_path / "run"
    target = f"--target=folder:{pictures}"
    flags = [*ADAPT, f"--network={network}", target, "--batch_size=8", f"--output_dir={place}"]
    domain_adaptation.run(flags)
    domain_adaptation.run([*flags, "--overwrite"])
    assert "1 of 1 work items are finished already" in capsys.readouterr().out
    other = finished / "networks" / "things" / "extractor.keras"
    shutil.copy(other, network / "extractor.keras")
    domain_adaptation.run([*flags, "--overwrite"])
    assert "finished already" not in capsys.readouterr().out


@pytest.mark.parametrize("flag", ["--image_size=9", "--rounds=3", "--architecture=any", "--both"])
def test_flags_of_a_source_make_no_sense_beside_a_stored_network(finished, flag, tmp_path):
    flags = [f"--network={finished / 'networks' / 'animals'}", "--target=digits", flag]
    with pytest.raises(InputError, match="is of a source network to train"):
        domain_adaptation.run([*flags, f"--output_dir={tmp_path / 'run'}"])


def test_the_paper_preset_adapts_a_stored_network_too_or_starts_from_scratch(finished):
    parser = domain_adaptation.run.make_parser()
    paper = "--preset=paper"
    config = domain_adaptation.run.configure(parser.parse_args([paper, "--network=any"]))
    assert (config.source, config.rotation_init, config.network) == (None, None, "any")
    config = domain_adaptation.run.configure(parser.parse_args([paper, "--rotation_init=none"]))
    assert config.rotation_init is None


def test_a_stored_network_without_a_head_to_hold_it_says_what_to_train(finished, tmp_path):
    network = shutil.copytree(finished / "networks" / "animals", tmp_path / "network")
    made_by = json.loads((network / "made_by.json").read_text())
    made_by["network"]["auxiliaries"] = []
    (network / "made_by.json").write_text(json.dumps(made_by))
    flags = [f"--network={network}", "--target=digits", f"--output_dir={tmp_path / 'run'}"]
    with pytest.raises(InputError, match="has no auxiliary head.*train the network together"):
        domain_adaptation.run([*ADAPT, *flags])
