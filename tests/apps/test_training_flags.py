"""The flags that every app has that trains, as its settings have them."""

import os

import pytest

from apps import classifier_transfer, compatibility_analysis, domain_adaptation, transfer_learning
from keras_compat.errors import InputError
from keras_compat.experiments.runner.item_folder import ItemFolder
from keras_compat.experiments.runner.run_folder import RunFolder

pytestmark = pytest.mark.once

APPS = [classifier_transfer, compatibility_analysis, domain_adaptation, transfer_learning]
OLD = {"rounds": 2, "batch_size": 4, "schedule": "cosine"}


def configured(app, *flags):
    return app.run.configure(app.run.make_parser().parse_args(list(flags)))


def trainings(config):
    return list(config.stages().values())


@pytest.mark.parametrize("app", APPS, ids=lambda app: app.__name__)
def test_each_flag_reaches_the_settings_and_bad_values_say_so(app, monkeypatch):
    monkeypatch.setenv("KERAS_COMPAT_PROFILE", "0")
    usual = configured(app)
    assert {how.precision for how in trainings(usual)} == {"float32"}
    assert {how.batch_statistics_over for how in trainings(usual)} == {"global"}
    assert (usual.auxiliary_fraction, usual.auxiliary_every) == (1.0, 1)
    assert os.environ["KERAS_COMPAT_PROFILE"] == "0"
    config = configured(
        app,
        "--precision=mixed_bfloat16",
        "--batch_statistics_over=device",
        "--auxiliary_fraction=0.5",
        "--auxiliary_every=2",
        "--profile",
    )
    assert len(trainings(config)) >= 1
    assert {how.precision for how in trainings(config)} == {"mixed_bfloat16"}
    assert {how.batch_statistics_over for how in trainings(config)} == {"device"}
    assert (config.auxiliary_fraction, config.auxiliary_every) == (0.5, 2)
    assert os.environ["KERAS_COMPAT_PROFILE"] == "1"
    for flag, message in (
        ("--precision=bfloat16", "unknown precision 'bfloat16'; did you mean 'mixed_bfloat16'"),
        (
            "--batch_statistics_over=devices",
            "batch_statistics_over 'devices'; did you mean 'device'",
        ),
        ("--auxiliary_fraction=0", "auxiliary_fraction is 0.0; expected above 0, at most 1"),
        ("--auxiliary_every=0", "auxiliary_every is 0; expected at least 1"),
    ):
        with pytest.raises(InputError, match=message):
            configured(app, flag)


def test_steps_and_runs_of_before_there_were_these_settings_are_of_use(tmp_path):
    step = ItemFolder(tmp_path / "step")
    step.save_models({}, 0.0, {"training": OLD}, {})
    added = {"precision": "float32", "batch_statistics_over": "global"}
    here = {"training": {**OLD, **added}, "auxiliary_every": 1}
    step.check(here, {})
    with pytest.raises(InputError, match="training.precision is 'float32' there, 'mixed_float16'"):
        step.check({"training": {**OLD, **added, "precision": "mixed_float16"}}, {})
    with pytest.raises(InputError, match="batch_statistics_over is 'global' there, 'device' here"):
        step.check({"training": {**OLD, **added, "batch_statistics_over": "device"}}, {})
    with pytest.raises(InputError, match="auxiliary_every is 1 there, 2 here"):
        step.check({**here, "auxiliary_every": 2}, {})

    folder = RunFolder(tmp_path / "run", {"training": OLD}, kept=["steps"])
    (folder.partial / "steps").mkdir()
    folder.release()
    again = RunFolder(tmp_path / "run", {**here, "auxiliary_fraction": 1.0}, kept=["steps"])
    assert (again.partial / "steps").is_dir()
    again.release()
    with pytest.raises(InputError, match="holds an unfinished run of another configuration"):
        RunFolder(tmp_path / "run", {**here, "auxiliary_fraction": 0.5}, kept=["steps"])
