"""The app as a user runs it; the networks are tiny, everything else is real."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from apps import classifier_transfer
from keras_compat.deployment import optional_dependencies
from keras_compat.errors import InputError
from keras_compat.experiments.classifier_transfer import shipping
from keras_compat.experiments.runner.run_folder import WRITTEN
from keras_compat.reporting import load_metrics, select
from tests.apps.shell import app

ROOT = Path(__file__).parents[2]
TINY = [
    "--image_size=8",
    "--extractors=server=resnet8:filters=4@stage2 phone=resnet8:filters=4@stage2",
    "--head=resnet8:filters=4@stage2",
    "--reference=server",
    "--interface_channels=8",
    "--batch_size=32",
    "--joint_rounds=2",
    "--update_rounds=2",
    "--bound_rounds=2",
    "--no-augment",  # a step takes seconds to compile, however few rounds it is for
]
FIRST_STAGES = ["--maintain=extractor", "--no-rotation", "--augment", "--upper_bounds=none"]


@pytest.fixture(scope="module")
def finished(made_once):
    """A whole run, of both variants and both bounds, with files for servers and phones.

    On JAX a shorter one is tested, without TensorFlow, and exporting by itself.
    """
    flags = [*TINY, "--maintain=rotation,extractor", "--upper_bounds=all"]
    return made_once(
        "classifier/run",
        lambda place: classifier_transfer.run([*flags, f"--output_dir={place}"]),
        "metrics.json",
    )


@pytest.fixture(scope="module")
def from_a_shell(made_once):
    """A run as a user starts it, of the first seed and variant of `finished`, and its output."""

    def start(place):
        flags = ["--maintain=rotation", "--upper_bounds=none", "--no-export"]
        done = app("classifier_transfer", *TINY, *flags, f"--output_dir={place}")
        assert (done.returncode, done.stderr) == (0, "")
        place.with_name("said").write_text(done.stdout)

    place = made_once("shell/run", start, "metrics.json")
    return place, place.with_name("said").read_text()


@pytest.mark.once
def test_a_run_leaves_all_that_it_should(finished):
    files = {str(p.relative_to(finished)) for p in finished.rglob("*") if p.is_file()}
    expected = {
        "metrics.json",
        "config.json",
        "report.md",
        "figures/figure4.png",
        "figures/figure11.png",
        "components/server_extractor.keras",
        "components/phone_extractor.keras",
        "components/head.keras",
        "components/rotation_head.keras",
        "components/head_updated_frozen_extractor.keras",
        "components/head_updated_frozen_rotation.keras",
        "components/server_extractor_updated.keras",
    }
    for variant in ("frozen_extractor", "frozen_rotation"):
        for name in ("server", "phone"):
            place = f"export/{variant}/{name}"
            expected |= {f"{place}/extractor.tflite", f"{place}/head.tflite"}
            labels = (finished / place / "head.labels.txt").read_text().split()
            assert labels == [str(digit) for digit in range(10)]
            expected.add(f"{place}/saved_model/saved_model.pb")
    assert expected <= files, sorted(expected - files)
    assert any(name.startswith("logs/seed0/initial") for name in files)
    assert [p.name for p in finished.parent.iterdir()] == ["run"]
    assert {path.name for path in finished.iterdir()} <= WRITTEN


@pytest.mark.once
def test_metrics_say_what_was_measured_and_where(finished):
    metrics = load_metrics(finished / "metrics.json")
    assert metrics["experiment"] == "classifier_transfer"
    assert metrics["config"]["joint"]["rounds"] == 2
    assert metrics["data"]["digits"]["train"]["sha256"]
    assert metrics["config"]["export"] is True
    stages = ("initial", "update_extractor", "update_rotation", "bound_original", "bound_changed")
    assert {f"{stage}_seed0" for stage in stages} <= set(metrics["durations_s"])
    records = metrics["results"]

    def values(**keys):
        return [r["value"] for r in records if all(r.get(k) == v for k, v in keys.items())]

    for variant in ("frozen_extractor", "frozen_rotation"):
        assert len(values(metric="recombination_accuracy", variant=variant, extractor="phone")) == 1
        assert len(values(metric="reference_accuracy", variant=variant, extractor="server")) == 1
        assert len(values(metric="accuracy", variant=variant, statistics="moving")) == 6
    for architecture in ("original", "changed"):
        assert len(values(metric="upper_bound", architecture=architecture)) == 2
    assert values(metric="chance") == [0.1]
    assert values(metric="lower_bound")[0] == pytest.approx(0.5, abs=0.02)
    for subset in ("all", "old", "new"):
        found = values(
            metric="accuracy", stage="updated", subset=subset, statistics="batch", runtime="keras"
        )
        assert len(found) == 4


@pytest.mark.once
@pytest.mark.parametrize("name", ["server", "phone"])
@pytest.mark.parametrize("variant", ["frozen_extractor", "frozen_rotation"])
def test_files_from_disk_answer_as_keras_does(finished, variant, name):
    records = load_metrics(finished / "metrics.json")["results"]

    def figures(runtime):
        keys = {"variant": variant, "extractor": name, "statistics": "moving", "runtime": runtime}
        return {r["metric"]: r["value"] for r in select(records, **keys)}

    for runtime in ("saved_model", "litert"):
        found = figures(runtime)
        assert abs(found["accuracy"] - figures("keras")["accuracy"]) <= 0.005
        assert found["max_logit_difference"] < 1e-3
        assert found["accuracy_difference"] <= 0.005


@pytest.mark.once
def test_components_load_and_recombine(finished):
    from keras_compat.networks import recombine

    parts = finished / "components"
    extractor = keras.saving.load_model(parts / "phone_extractor.keras")
    head = keras.saving.load_model(parts / "head_updated_frozen_extractor.keras")
    logits = recombine(extractor, head)(np.zeros((2, 8, 8, 1), "float32"))
    assert tuple(logits.shape) == (2, 10)


@pytest.mark.once
def test_the_same_seed_gives_the_same_figures_in_another_process(finished, from_a_shell):
    one, other = (load_metrics(p / "metrics.json")["results"] for p in (finished, from_a_shell[0]))
    compared = 0
    for record in select(other, seed=0):
        keys = {key: value for key, value in record.items() if key != "value"}
        (same,) = select(one, **keys)
        assert same["value"] == record["value"], record
        compared += 1
    # Two of the data; of each extractor: initial, with the new head (headline, three subsets),
    # and moving statistics.
    assert compared == 2 + 2 * (1 + 4 + 1)


@pytest.mark.once
def test_the_terminal_shows_phases_bars_and_where_all_lies(from_a_shell):
    place, said = from_a_shell
    phases = re.findall(r"^\[(\d+)/(\d+)\] \w+", said, re.MULTILINE)
    assert phases == [(str(number), "3") for number in range(1, 4)]
    assert "(2/2) update_rotation_seed0" in said
    assert len(re.findall(r"2/2.*loss: \d.*accuracy: \d", said)) == 2
    assert said.endswith(f"Everything is in {place}/\n")
    assert "phone" in said.split("[3/3]")[1]
    assert not (place / "export").exists()


def test_export_that_was_asked_for_is_not_left_out(tmp_path, monkeypatch):
    for module in (shipping, optional_dependencies):
        monkeypatch.setattr(module, "installed", lambda package: package != "ai_edge_litert")
    with pytest.raises(InputError, match=r"'ai_edge_litert'.*keras_compat\[tensorflow\]"):
        classifier_transfer.run([*TINY, "--export", f"--output_dir={tmp_path / 'run'}"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.once
def test_a_loss_that_is_not_finite_keeps_the_last_good_weights(tmp_path):
    place = tmp_path / "run"
    flags = [f for f in TINY if not f.startswith("--joint")]
    flags += ["--joint_rounds=120", "--joint_learning_rate=1e30", *FIRST_STAGES]
    with pytest.raises(ArithmeticError, match="task '(server|phone)' is not finite since round"):
        classifier_transfer.run([*flags, "--no-export", f"--output_dir={place}"])
    assert not (place / "metrics.json").exists()
    step = place / "steps" / "initial_seed0"
    kept = keras.saving.load_model(step / "last_good.keras")
    assert all(np.isfinite(np.array(w.value)).all() for w in kept.weights)


WITHOUT_TENSORFLOW = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("tensorflow", "tensorflow_datasets", "ai_edge_litert"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hidden())
from apps import classifier_transfer
classifier_transfer.run.main()
"""


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="what JAX does without TensorFlow")
def test_the_job_runs_with_jax_alone(tmp_path):
    place = tmp_path / "run"
    flags = [*TINY, *FIRST_STAGES, "--no-augment", f"--output_dir={place}"]
    command = [sys.executable, "-c", WITHOUT_TENSORFLOW, *flags]
    # What a process with TensorFlow has put into JAX's cache, one without cannot read.
    known = ("KERAS_BACKEND", "JAX_COMPILATION_CACHE_DIR")
    env = {name: value for name, value in os.environ.items() if name not in known}
    how = {
        "cwd": ROOT,
        "env": {**env, "KERAS_HOME": str(tmp_path / "keras")},
        "capture_output": True,
        "text": True,
        "timeout": 300,
    }
    done = subprocess.run(command, **how)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "tensorflow is not installed: Keras runs on jax" in done.stdout
    assert "files for servers and phones are left out: they need tensorflow" in done.stdout
    assert "logs are left out" in done.stdout
    metrics = json.loads((place / "metrics.json").read_text())
    assert metrics["versions"]["backend"] == "jax" and metrics["config"]["export"] is False
