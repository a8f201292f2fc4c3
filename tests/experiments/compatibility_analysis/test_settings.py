"""Settings of the analysis: what changes them, and what is refused."""

from dataclasses import fields, replace

import pytest

from keras_compat.experiments.compatibility_analysis.presets import PRESETS
from keras_compat.experiments.compatibility_analysis.settings import apply_variant
from keras_compat.studies.rotation import VARIANTS
from tests.experiments.two_sets import make_config


@pytest.mark.parametrize("name", list(VARIANTS))
def test_a_variant_changes_one_setting(name, tmp_path):
    config = PRESETS["paper"]
    changed = apply_variant(config, name)
    differing = [
        f.name for f in fields(config) if getattr(config, f.name) != getattr(changed, f.name)
    ]
    assert len(differing) == 1


def test_another_pretraining_concerns_the_cells_that_start_from_it(tmp_path):
    config = make_config(tmp_path)
    other = replace(config, pretraining=replace(config.pretraining, rounds=9))
    assert other.lasting() == config.lasting()
    assert other.trains(pretrained=False) == config.trains(pretrained=False)
    assert other.trains(pretrained=True) != config.trains(pretrained=True)


def test_a_longer_training_drops_its_rate_at_the_same_parts_of_the_way():
    how = apply_variant(PRESETS["paper"], "three times the rounds").training
    assert (how.rounds, how.drops) == (60_000, (15_000, 30_000, 45_000))
