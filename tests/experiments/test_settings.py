from dataclasses import replace
from importlib import import_module

import pytest

from keras_compat.errors import InputError
from keras_compat.experiments.classifier_transfer.presets import PRESETS
from keras_compat.experiments.loading import load_options
from keras_compat.experiments.settings import TrainingSettings as Training
from keras_compat.experiments.training import make_optimizer

EXPERIMENTS = (
    "classifier_transfer",
    "compatibility_analysis",
    "domain_adaptation",
    "transfer_learning",
)


MISFITS = {
    "classifier_transfer": [
        ({"reference": "resnte"}, "unknown reference.*did you mean 'resnet'"),
        ({"extractors": {"wide_resnet": "resnet8", "a-b": "resnet8"}}, "extractor name 'a-b'"),
        ({"maintain": ("nothing",)}, "unknown value of maintain"),
        ({"maintain": ("rotation",), "auxiliaries": ()}, "or add --maintain=extractor"),
        ({"maintain": ("extractor", "extractor")}, "maintain are 'extractor,extractor'.*once"),
        ({"maintain": ()}, "maintain are ''; expected some"),
        ({"upper_bounds": "some"}, "unknown value of upper_bounds"),
        ({"interface_channels": -1}, "interface_channels is -1"),
    ],
    "compatibility_analysis": [
        ({"datasets": ("digits",)}, "expected at least two"),
        ({"architectures": ("resnet8",) * 3}, "3 architectures for 2 data sets"),
        ({"methods": ("iiw+rpp",)}, "unknown method"),
        ({"studies": ("splitz",)}, "unknown study 'splitz'; did you mean 'splits'"),
        ({"studies": ("splits", "splits")}, "each once"),
        ({"studies": ("pretrained",)}, "--pretraining_dataset"),
        ({"rotation_weight": float("nan")}, "rotation_weight is nan"),
        ({"interface_channels": -1}, "interface_channels is -1"),
        ({"evaluation_batch_size": 0}, "evaluation_batch_size is 0"),
    ],
    "domain_adaptation": [
        ({"source": None}, "source is None and network is None; expected one of them"),
        ({"network": "a"}, "expected one of them"),
        ({"layers": ("last",)}, "unknown value of layers 'last'"),
        ({"layers": ()}, "layers are ''; expected some, each once"),
        ({"auxiliaries": ("rotation", "rotation")}, "expected some, each once"),
        ({"auxiliaries": ("jigsaw",), "rotation_init": "digits"}, "rotation is not among"),
        ({"source": None, "network": "a", "rotation_init": "digits"}, "has its heads already"),
        ({"choose_by": "luck"}, "unknown value of choose_by 'luck'"),
        ({"choose_by": "published", "layers": ("normalization",)}, "add 'all', or choose by"),
        ({"learning_rates": (0.0,)}, "learning_rates have 0.0"),
        ({"held_out": 1.0}, "held_out is 1.0; expected above 0, below 1"),
        ({"adaptation": Training(rounds=2), "checkpoints": 3}, "checkpoints is 3; expected 1 to 2"),
        ({"evaluation_batch_size": 0}, "evaluation_batch_size is 0"),
    ],
    "transfer_learning": [
        ({"sources": ()}, "sources are ''; expected some, each once"),
        ({"targets": ("digits", "digits")}, "targets are 'digits,digits'"),
        ({"sources": ("digits",), "targets": ("digits",)}, "source and target are both"),
        ({"methods": ("dcc",)}, "unknown method 'dcc'"),
        ({"epochs": -1.0}, "epochs is -1.0"),
        ({"fine_tuning_learning_rate": -1.0}, "fine_tuning_learning_rate is -1.0"),
        ({"ranking_images": 0}, "ranking_images is 0"),
    ],
}


def demo(experiment):
    return import_module(f"keras_compat.experiments.{experiment}.presets").PRESETS["demo"]


@pytest.mark.parametrize(
    ("experiment", "changes", "message"),
    [(name, *misfit) for name, misfits in MISFITS.items() for misfit in misfits],
)
def test_what_does_not_fit_is_said(experiment, changes, message):
    with pytest.raises(InputError, match=message):
        replace(demo(experiment), **changes)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**32 - 1000}, "seed is 4294966296"),
        ({"seed": 3_999_999, "seeds": 2}, "expected 0 to 3,999,998 for 2 seeds"),
        ({"seeds": 0}, "seeds is 0"),
        ({"memory_limit_gib": -1.0}, "memory_limit_gib is -1"),
        ({"memory_limit_gib": float("nan")}, "memory_limit_gib is nan"),
        ({"auxiliary_weight": 0.0}, "auxiliary_weight is 0.0"),
        ({"auxiliary_weight": float("nan")}, "auxiliary_weight is nan"),
        ({"rotation_assignment": "al"}, "unknown rotation_assignment 'al'; did you mean 'all'"),
    ],
)
def test_every_experiment_refuses_what_all_settings_refuse(experiment, changes, message):
    with pytest.raises(InputError, match=message):
        replace(demo(experiment), **changes)


@pytest.mark.parametrize("limit", [1e290, 1e308])
def test_a_memory_limit_without_end_is_one(limit: float):
    assert load_options(replace(PRESETS["demo"], memory_limit_gib=limit)).memory_limit_bytes > 2**50


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rounds": 0}, "rounds is 0"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"learning_rate": float("inf")}, "learning_rate is inf; expected a finite number"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"schedule": "cosinus"}, "unknown schedule 'cosinus'"),
        ({"optimizer": "lamb"}, "unknown optimizer"),
    ],
)
def test_trainings_that_cannot_be_are_said(changes, message):
    with pytest.raises(InputError, match=message):
        Training(**{"rounds": 1, **changes})


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
