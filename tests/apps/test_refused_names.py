"""A wrong name is refused with the near ones, before any data are read."""

import pytest

from apps import classifier_transfer, compatibility_analysis, domain_adaptation, transfer_learning
from keras_compat.data import loading
from keras_compat.errors import InputError

pytestmark = pytest.mark.once

WRONG = [
    (classifier_transfer, "--dataset=digts", "unknown data set 'digts'; did you mean 'digits'"),
    (classifier_transfer, "--head=resnet9", "unknown architecture 'resnet9'; did you mean"),
    (classifier_transfer, "--extractors=wide_resnet=resnet8@stag2", "did you mean 'stage2'"),
    (classifier_transfer, "--preset=papr", "unknown preset 'papr'; did you mean 'paper'"),
    (compatibility_analysis, "--architectures=resnet8@stag2", "did you mean 'stage2'"),
    (compatibility_analysis, "--pretraining_dataset=digts", "did you mean 'digits'"),
    (compatibility_analysis, "--methods=iiw+rpp", "'rpp'; did you mean 'rp'"),
    (compatibility_analysis, "--studies=split", "unknown study 'split'; did you mean 'splits'"),
    (domain_adaptation, "--target=digts", "unknown data set 'digts'; did you mean 'digits'"),
    (domain_adaptation, "--auxiliaries=rotaton", "did you mean 'rotation'"),
    (domain_adaptation, "--rotation_assignment=cyclik", "did you mean 'cyclic'"),
    (transfer_learning, "--architecture=resnet8:deth=8", "did you mean 'depth'"),
    (transfer_learning, "--sources=mnist5k,mnist5", "data set 'mnist5'; did you mean 'mnist5k'"),
    (transfer_learning, "--methods=pretraind", "unknown method 'pretraind'; did you mean"),
    (transfer_learning, "--optimizer=adm", "unknown optimizer 'adm'; did you mean 'adam'"),
]


@pytest.mark.parametrize(("app", "flag", "message"), WRONG, ids=[flag for _, flag, _ in WRONG])
def test_a_wrong_name_is_refused_before_data_are_read(app, flag, message, tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "load_source", None)
    with pytest.raises(InputError) as caught:
        app.run([flag, f"--output_dir={tmp_path / 'run'}"])
    assert message in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_flag_is_said_with_the_near_ones(capsys):
    with pytest.raises(SystemExit) as ended:
        domain_adaptation.run(["--learnin_rate=1"])
    assert ended.value.code == 2
    assert "did you mean --learning_rate" in capsys.readouterr().err
