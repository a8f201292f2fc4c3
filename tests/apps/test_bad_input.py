"""Bad input to any app is one line and exit code 2, before anything is trained or written."""

import re

import pytest

from apps import classifier_transfer, compatibility_analysis, domain_adaptation, transfer_learning
from keras_compat.data import loading
from keras_compat.errors import InputError
from tests.apps.shell import app, exit_code, says_one_line_and_exits_with_two
from tests.apps.small_runs import few_steps

pytestmark = pytest.mark.once

APPS = (classifier_transfer, compatibility_analysis, domain_adaptation, transfer_learning)
WRONG = [
    (classifier_transfer, "--dataset=digts", "unknown data set 'digts'; did you mean 'digits'"),
    (classifier_transfer, "--head=resnet9", "unknown architecture 'resnet9'; did you mean"),
    (classifier_transfer, "--extractors=wide_resnet=resnet8@stag2", "did you mean 'stage2'"),
    (classifier_transfer, "--preset=papr", "unknown preset 'papr'; did you mean 'paper'"),
    (compatibility_analysis, "--architectures=resnet8@stag2", "did you mean 'stage2'"),
    (classifier_transfer, "--head=mobilenet_v2_small@block9", "unknown split"),
    (compatibility_analysis, "--pretraining_dataset=digts", "did you mean 'digits'"),
    (compatibility_analysis, "--methods=iiw+rpp", "'rpp'; did you mean 'rp'"),
    (compatibility_analysis, "--studies=split", "unknown study 'split'; did you mean 'splits'"),
    (domain_adaptation, "--target=digts", "unknown data set 'digts'; did you mean 'digits'"),
    (domain_adaptation, "--architecture=resnet8@stag2", "did you mean 'stage2'"),
    (domain_adaptation, "--rotation_init=no", "unknown data set 'no'"),
    (domain_adaptation, "--choose_by=luck", "unknown value of choose_by 'luck'"),
    (domain_adaptation, "--auxiliaries=rotaton", "did you mean 'rotation'"),
    (domain_adaptation, "--rotation_assignment=cyclik", "did you mean 'cyclic'"),
    (transfer_learning, "--architecture=resnet8:deth=8", "did you mean 'depth'"),
    (transfer_learning, "--architecture=resnet8@stag2", "did you mean 'stage2'"),
    (transfer_learning, "--sources=mnist5k,mnist5", "data set 'mnist5'; did you mean 'mnist5k'"),
    (transfer_learning, "--methods=pretraind", "unknown method 'pretraind'; did you mean"),
    (transfer_learning, "--optimizer=adm", "unknown optimizer 'adm'; did you mean 'adam'"),
]


def refused(run, flags, folder):
    """Returns what an app says of flags that it refuses, and that nothing is written."""
    with pytest.raises(InputError) as caught:
        run([*flags, f"--output_dir={folder / 'run'}"])
    assert "\n" not in str(caught.value)
    assert list(folder.iterdir()) == []
    return str(caught.value)


@pytest.mark.parametrize(("app", "flag", "message"), WRONG, ids=[flag for _, flag, _ in WRONG])
def test_a_wrong_name_is_refused_before_data_are_read(app, flag, message, tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "load_source", None)
    assert message in refused(app.run, [flag], tmp_path)


@pytest.fixture
def usual(sets):
    """Flags of each app for small data, which others change."""
    small = {app: few_steps(app.__name__[5:], sets.animals, sets.things) for app in APPS}
    return {**small, classifier_transfer: []}


@pytest.mark.parametrize(
    ("app", "flags", "message"),
    [
        (classifier_transfer, ["--dataset=folder:/nowhere"], "/nowhere"),
        (classifier_transfer, ["--extractors=a"], "expected NAME=ARCHITECTURE"),
        (classifier_transfer, ["--initial_classes=11"], "11"),
        (classifier_transfer, ["--interface_channels=0"], r"\(.*\).*\(.*\)"),
        (classifier_transfer, ["--aliases=kitten"], "alias 'kitten'; expected NAME=CLASS"),
        (classifier_transfer, ["--channels=2"], "channels is 2"),
        (
            classifier_transfer,
            ["--dataset=cifar10", "--data_dir=/nowhere"],
            "--download|tfds build",
        ),
        (
            compatibility_analysis,
            ["--image_size=9", "--methods=jigsaw"],
            "even --image_size",
        ),
        (
            compatibility_analysis,
            ["--methods=colorization"],
            "1 channel; the colorization task needs three",
        ),
        (domain_adaptation, ["--target=digits"], "have 0 classes in common"),
        (domain_adaptation, ["--evaluation_batch_size=4000"], "fewer than a batch of 4000"),
        (domain_adaptation, ["--batch_size=64"], "expected one of these and 64 others, a batch"),
        (domain_adaptation, ["--learning_rates=fast"], "learning_rates is 'fast'; expected num"),
        (domain_adaptation, ["--network=a"], "is of a source network to train, but --network=a"),
        (domain_adaptation, ["--held_out=0.1"], "expected at least 6, two a class"),
        (transfer_learning, ["--evaluation_batch_size=4000"], "fewer than a batch of 4000"),
        (transfer_learning, ["--batch_size=64"], "fewer than a batch of 64"),
        (transfer_learning, ["--target="], "targets are ''"),
    ],
)
def test_what_does_not_fit_is_refused_before_training(app, flags, message, usual, tmp_path):
    assert re.search(message, refused(app.run, [*usual[app], *flags], tmp_path))


@pytest.mark.parametrize("app", APPS, ids=lambda app: app.__name__)
@pytest.mark.parametrize("flag", ["--jobs=0", "--preset=papr", "--batch_size=0"])
def test_every_app_ends_with_code_2_and_one_line(app, flag, usual, tmp_path, monkeypatch, capfd):
    flags = [*usual[app], flag, f"--output_dir={tmp_path / 'run'}"]
    assert exit_code(app.run, flags, monkeypatch) == 2
    said = capfd.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_so_does_a_process():
    done = app("compatibility_analysis", "--jobs=2", "--distribution=mirrored")
    assert says_one_line_and_exits_with_two(done, "--jobs is 2 and --distribution is 'mirrored'")


def test_an_unknown_flag_is_said_with_the_near_ones(capsys):
    with pytest.raises(SystemExit) as ended:
        domain_adaptation.run(["--learnin_rate=1"])
    assert ended.value.code == 2
    assert "did you mean --learning_rate" in capsys.readouterr().err
