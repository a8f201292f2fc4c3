"""The flags that every app has that trains, as its settings have them."""

import os

import pytest

from apps import classifier_transfer, compatibility_analysis, domain_adaptation, transfer_learning
from keras_compat.errors import InputError
from keras_compat.experiments.runner.item_folder import ItemFolder
from keras_compat.experiments.runner.run_folder import RunFolder
from keras_compat.reporting.stored_settings import as_of_today

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


@pytest.mark.parametrize("app", APPS, ids=lambda app: app.__name__)
def test_every_app_takes_auxiliary_tasks_by_their_names(app):
    settings = configured(app, "--auxiliaries=rotation,jigsaw", "--auxiliary_weight=2")
    if app is compatibility_analysis:
        assert settings.methods == ("independent", "rp", "jigsaw")
    else:
        assert settings.auxiliaries == ("rotation", "jigsaw")
    assert settings.weight("jigsaw") == 2
    with pytest.raises(InputError, match="'jigsau'; did you mean 'jigsaw'"):
        configured(app, "--auxiliaries=jigsau")
    if app is not classifier_transfer:
        with pytest.raises(InputError):
            configured(app, "--auxiliaries=")


def test_the_flag_of_release_0_1_for_rotation_is_of_use():
    alone = ["--no-rotation", "--maintain=extractor"]
    assert configured(classifier_transfer, *alone).auxiliaries == ()
    assert configured(classifier_transfer, "--maintain=extractor", "--auxiliaries=none") == (
        configured(classifier_transfer, *alone)
    )
    both = configured(classifier_transfer, "--auxiliaries=jigsaw", "--rotation")
    assert both.auxiliaries == ("rotation", "jigsaw")
    with pytest.raises(InputError, match="or add --maintain=extractor"):
        configured(classifier_transfer, "--no-rotation")
    for rotation, auxiliaries in ((True, ["rotation"]), (False, [])):
        assert as_of_today({"rotation": rotation})["auxiliaries"] == auxiliaries


def test_a_stage_has_flags_of_its_own_and_drops_keep_their_parts_of_the_way():
    flags = ["--preset=paper", "--joint_rounds=400", "--bound_schedule=cosine", "--batch_size=8"]
    settings = configured(classifier_transfer, *flags, "--update_drops=10,20")
    assert (settings.joint.rounds, settings.joint.drops) == (400, (100, 200, 300))
    assert (settings.joint.schedule, settings.bound.schedule) == ("steps", "cosine")
    assert settings.update.drops == (10, 20)
    assert {how.batch_size for how in trainings(settings)} == {8}


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
