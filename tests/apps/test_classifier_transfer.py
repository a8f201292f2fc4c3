"""The app as a user runs it; the networks are tiny, everything else is real."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from apps import classifier_transfer
from keras_compat.errors import InputError
from keras_compat.reporting import load_metrics

ROOT = Path(__file__).parents[2]
TINY = [
    "--image_size=8",
    "--extractors=server=resnet8:filters=4@stage2 phone=mobilenet_v2_small:width=0.25@block2",
    "--head=mobilenet_v2_small:width=0.25@block4",
    "--reference=server",
    "--interface_channels=8",
    "--batch_size=32",
    "--joint_rounds=3",
    "--update_rounds=3",
    "--bound_rounds=2",
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A whole run, of both variants, with files for servers and phones."""
    place = tmp_path_factory.mktemp("app") / "run"
    classifier_transfer.run([*TINY, "--maintain=extractor,rotation", f"--output_dir={place}"])
    return place


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
        *(f"export/{n}/{f}.tflite" for n in ("server", "phone") for f in ("extractor", "head")),
        *(f"export/{n}/saved_model/saved_model.pb" for n in ("server", "phone")),
    }
    assert expected <= files, sorted(expected - files)
    assert any(name.startswith("logs/seed0/initial") for name in files)
    assert [p.name for p in finished.parent.iterdir()] == ["run"]


def test_metrics_say_what_was_measured_and_where(finished):
    metrics = load_metrics(finished / "metrics.json")
    assert metrics["experiment"] == "classifier_transfer"
    assert metrics["config"]["joint"]["rounds"] == 3
    assert metrics["data"]["digits"]["train"]["sha256"]
    assert {"initial", "update_extractor", "update_rotation", "bound_original"} <= set(
        metrics["durations_s"]
    )
    records = metrics["results"]

    def values(**keys):
        return [r["value"] for r in records if all(r.get(k) == v for k, v in keys.items())]

    for variant in ("frozen_extractor", "frozen_rotation"):
        assert len(values(metric="recombination_accuracy", variant=variant, extractor="phone")) == 1
        assert len(values(metric="reference_accuracy", variant=variant, extractor="server")) == 1
    assert len(values(metric="upper_bound", architecture="original")) == 2
    assert values(metric="chance") == [0.1]
    assert values(metric="lower_bound")[0] == pytest.approx(0.5, abs=0.02)
    for subset in ("all", "old", "new"):
        found = values(
            metric="accuracy", stage="updated", subset=subset, statistics="batch", runtime="keras"
        )
        assert len(found) == 4


def test_files_from_disk_answer_as_keras_does(finished):
    records = load_metrics(finished / "metrics.json")["results"]
    keras_accuracy = {
        r["extractor"]: r["value"]
        for r in records
        if r["metric"] == "accuracy"
        and r.get("statistics") == "moving"
        and r.get("runtime") == "keras"
    }
    for runtime in ("saved_model", "litert"):
        for name in ("server", "phone"):
            found = {
                r["metric"]: r["value"]
                for r in records
                if r.get("runtime") == runtime and r.get("extractor") == name
            }
            assert abs(found["accuracy"] - keras_accuracy[name]) <= 0.005
            assert found["max_logit_difference"] < 1e-3


def test_components_load_and_recombine(finished):
    from keras_compat.networks import recombine

    parts = finished / "components"
    extractor = keras.saving.load_model(parts / "phone_extractor.keras")
    head = keras.saving.load_model(parts / "head_updated_frozen_extractor.keras")
    logits = recombine(extractor, head)(np.zeros((2, 8, 8, 1), "float32"))
    assert tuple(logits.shape) == (2, 10)


def test_a_finished_run_is_not_overwritten(finished):
    before = (finished / "metrics.json").read_bytes()
    with pytest.raises(InputError, match="holds a finished run"):
        classifier_transfer.run([*TINY, f"--output_dir={finished}"])
    assert (finished / "metrics.json").read_bytes() == before


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--preset=dmo"], "did you mean 'demo'"),
        (["--dataset=digts"], "did you mean 'digits'"),
        (["--dataset=folder:/nowhere"], "/nowhere"),
        (
            ["--extractors=a=resnet9 b=resnet8", "--reference=a"],
            "unknown architecture 'resnet9'.*'resnet8'",
        ),
        (["--extractors=a=resnet8@stage9", "--reference=a"], "unknown split.*stage"),
        (["--extractors=a"], "expected NAME=ARCHITECTURE"),
        (["--head=mobilenet_v2_small@block9"], "unknown split"),
        (["--reference=server"], "unknown reference.*wide_resnet"),
        (["--initial_classes=11"], "11"),
        (["--interface_channels=0"], r"\(.*\).*\(.*\)"),
        (["--joint_rounds=0"], "rounds is 0"),
        (["--dataset=cifar10", "--data_dir=/nowhere"], "--download|tfds build"),
    ],
)
def test_bad_input_is_said_before_training(flags, message, tmp_path):
    with pytest.raises(InputError, match=message) as caught:
        classifier_transfer.run([*flags, f"--output_dir={tmp_path / 'run'}"])
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def app(*flags, env=None):
    return subprocess.run(
        [sys.executable, "-m", "apps.classifier_transfer", *flags],
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_bad_input_ends_with_code_2_one_line_and_no_traceback(tmp_path):
    done = app("--reference=nobody", f"--output_dir={tmp_path / 'run'}")
    assert done.returncode == 2
    assert done.stderr.startswith("error: unknown reference") and done.stderr.count("\n") == 1
    unknown = app("--no_such_flag")
    assert unknown.returncode == 2 and "no_such_flag" in unknown.stderr
    assert "Traceback" not in done.stderr + unknown.stderr


def test_help_is_readable_and_exits_0():
    done = app("--help")
    assert done.returncode == 0
    for flag in ("--preset", "--dataset", "--reference", "--maintain", "--seeds"):
        assert flag in done.stdout


def test_a_loss_that_is_not_finite_keeps_the_last_good_weights(tmp_path):
    place = tmp_path / "run"
    flags = [f for f in TINY if not f.startswith("--joint")]
    flags += ["--joint_rounds=120", "--joint_learning_rate=1e30", "--upper_bounds=none"]
    with pytest.raises(ArithmeticError, match="task '(server|phone)' is not finite since round"):
        classifier_transfer.run([*flags, "--no-export", f"--output_dir={place}"])
    assert not place.exists()
    kept = keras.saving.load_model(tmp_path / "run.partial" / "last_good" / "initial.keras")
    assert all(np.isfinite(np.array(w.value)).all() for w in kept.weights)


WITHOUT_TENSORFLOW = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("tensorflow", "tensorflow_datasets", "ai_edge_litert"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hidden())
from apps import classifier_transfer, command_line
command_line.main(classifier_transfer.run)
"""


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="what JAX does without TensorFlow")
def test_the_job_runs_on_jax_without_tensorflow(tmp_path):
    place = tmp_path / "run"
    flags = [*TINY, "--upper_bounds=none", f"--output_dir={place}"]
    command = [sys.executable, "-c", WITHOUT_TENSORFLOW, *flags]
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert refused.returncode == 2 and "keras_compat[tensorflow]" in refused.stderr
    done = subprocess.run(
        [*command, "--no-export"], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert json.loads((place / "metrics.json").read_text())["versions"]["backend"] == "jax"
