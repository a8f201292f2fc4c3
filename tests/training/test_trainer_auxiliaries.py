"""Every auxiliary task with a small extractor and head through the trainer."""

import keras
import numpy as np
import pytest

from keras_compat import networks
from keras_compat.auxiliary import (
    Colorization,
    Contrastive,
    Exemplar,
    JigsawPuzzle,
    RotationPrediction,
    UnitLengthLoss,
)
from keras_compat.auxiliary.view_pairs import ViewPairs
from keras_compat.training import AuxiliaryHead, Task, Trainer
from tests.training.small import CLASSES, extractor, head

COUNT = 32


def coloured_images(count=COUNT, seed=0):
    """Four quarters of a brightness of their own; what is bright is yellow, what is dark blue."""
    rng = np.random.default_rng(seed)
    brightness = np.repeat(np.repeat([[0.1, 0.4], [0.6, 0.9]], 4, axis=0), 4, axis=1)
    brightness = brightness + rng.uniform(-0.1, 0.1, (count, 8, 8))
    bright = brightness > 0.5
    colours = np.stack([bright * 1.0, bright * 0.8, ~bright * 1.0], axis=-1)
    images = 255 * np.clip((brightness[..., None] + 0.3 * colours) / 1.3, 0, 1)
    return images.astype("uint8"), (np.arange(count) % CLASSES).astype("int32")


def different_images(count=COUNT, seed=0):
    """Four quarters of random colours: no image is like another."""
    quarters = np.random.default_rng(seed).integers(0, 256, (count, 2, 2, 3))
    images = np.repeat(np.repeat(quarters, 4, axis=1), 4, axis=2)
    return images.astype("uint8"), np.zeros(count, "int32")


def dense_head(name, outputs):
    return networks.build_head(
        "resnet8", "stage2", input_channels=4, classes=outputs, seed=3, name=name, dense=True
    )


def held(auxiliary):
    """The task with a head that suits it."""
    if not auxiliary.uses_head:
        return AuxiliaryHead(auxiliary)
    build = dense_head if auxiliary.dense else head
    return AuxiliaryHead(auxiliary, build(f"{auxiliary.name}_head", auxiliary.outputs))


@pytest.fixture
def policy(request):
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize(
    ("task", "least", "policy"),
    [
        (JigsawPuzzle(outputs=2, seed=0), 0.8, "float32"),
        (Colorization(), 0.6, "mixed_bfloat16"),
        (Exemplar(outputs=8, smallest_area=0.7, flip=False, seed=0), 0.85, "mixed_bfloat16"),
        (Contrastive(outputs=8, smallest_area=0.7, flip=False, seed=0), 0.35, "float32"),
        (UnitLengthLoss(), 0.9, "mixed_bfloat16"),
    ],
    indirect=["policy"],
    ids=lambda value: getattr(value, "name", value),
)
def test_the_loss_falls_and_the_score_rises_on_what_can_be_learnt(task, least, policy):
    trainer = Trainer([Task("a", extractor("a_extractor", channels=3), None, [held(task)])])
    trainer.compile(keras.optimizers.Adam(0.02))
    data = {"a": different_images() if isinstance(task, ViewPairs) else coloured_images()}
    before = trainer.evaluate(data, batch_size=COUNT, verbose=0, return_dict=True)
    trainer.fit(data, batch_size=COUNT, steps_per_epoch=40, verbose=0)
    after = trainer.evaluate(data, batch_size=COUNT, verbose=0, return_dict=True)
    assert {str(v.dtype) for v in trainer.trainable_variables} == {"float32"}
    assert after["loss"] < 0.9 * before["loss"]
    assert after[f"a_{task.name}_{task.score_name}"] > least
    if isinstance(task, UnitLengthLoss):
        assert after["a_unit_length_length"] == pytest.approx(1, abs=0.1)


def test_a_head_must_be_what_the_task_needs():
    with pytest.raises(ValueError, match="no head for the auxiliary 'rotation'"):
        AuxiliaryHead(RotationPrediction())
    with pytest.raises(ValueError, match="head 'h' for the auxiliary 'unit_length'; expected none"):
        AuxiliaryHead(UnitLengthLoss(), head("h"))
    with pytest.raises(ValueError, match=r"'h' emits \(None, 3\); the auxiliary 'rotation' needs"):
        AuxiliaryHead(RotationPrediction(), head("h", 3))
    with pytest.raises(ValueError, match=r"needs \(batch, height, width, 25\)"):
        AuxiliaryHead(Colorization(), head("h", 25))
    with pytest.raises(ValueError, match=r"needs \(batch, 24\)"):
        AuxiliaryHead(JigsawPuzzle(), dense_head("h", 24))
