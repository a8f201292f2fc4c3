from dataclasses import replace

import pytest

from keras_compat.errors import InputError
from keras_compat.jobs.classifier_transfer.config import Training
from keras_compat.jobs.classifier_transfer.presets import PRESETS
from keras_compat.jobs.classifier_transfer.stages import make_optimizer


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reference": "resnte"}, "unknown reference.*did you mean 'resnet'"),
        ({"extractors": {"wide_resnet": "resnet8", "a-b": "resnet8"}}, "extractor name 'a-b'"),
        ({"maintain": ("nothing",)}, "unknown value of maintain"),
        ({"maintain": ("rotation",), "rotation": False}, "needs the rotation head"),
        ({"upper_bounds": "some"}, "unknown value of upper_bounds"),
        ({"seeds": 0}, "seeds is 0"),
        ({"interface_channels": -1}, "interface_channels is -1"),
    ],
)
def test_what_does_not_fit_is_said(changes, message):
    with pytest.raises(InputError, match=message):
        replace(PRESETS["demo"], **changes)


def test_trainings_that_cannot_be_are_said():
    with pytest.raises(InputError, match="rounds is 0"):
        Training(rounds=0)
    with pytest.raises(InputError, match="unknown schedule 'cosinus'"):
        Training(rounds=1, schedule="cosinus")
    with pytest.raises(InputError, match="unknown optimizer"):
        Training(rounds=1, optimizer="lamb")


def test_unknown_presets_are_said_with_the_nearest():
    with pytest.raises(InputError, match="did you mean 'paper'"):
        PRESETS["papr"]


def test_the_paper_preset_is_the_papers():
    paper = PRESETS["paper"]
    joint = make_optimizer(paper.joint)
    assert paper.joint.rounds == 20_000 and paper.joint.batch_size == 512
    assert joint.weight_decay == 1e-7
    rates = [float(joint.learning_rate)]
    schedule = joint._learning_rate
    rates = [float(schedule(step)) for step in (0, 5_001, 10_001, 15_001)]
    assert rates == pytest.approx([1e-2, 1e-3, 1e-4, 1e-5])
    assert make_optimizer(paper.update).weight_decay is None
    assert paper.extractors == {
        "resnet": "resnet56@stage2",
        "wide_resnet": "wide_resnet56@stage2",
        "mobilenet_v2": "mobilenet_v2@block11",
    }
    assert paper.head == "mobilenet_v2@block11" and paper.reference == "wide_resnet"
    assert paper.interface_channels == 64
