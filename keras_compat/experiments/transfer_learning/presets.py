"""Presets of transfer learning, as the paper's appendix writes them."""

from __future__ import annotations

from keras_compat.experiments.settings import APPENDIX_C
from keras_compat.experiments.settings import TrainingSettings as Training
from keras_compat.experiments.transfer_learning.settings import Settings
from keras_compat.registry import Registry

PRESETS: Registry[Settings] = Registry("preset")

# On two cores: two sets of real handwritten digits at 16 x 16.
PRESETS.register("demo")(
    Settings(
        preset="demo",
        rotation_data="mnist5k",
        sources=("mnist5k",),
        targets=("digits",),
        image_size=16,
        architecture="resnet8@stage2",
        training=Training(rounds=300, batch_size=64, learning_rate=1e-2, schedule="cosine"),
        fine_tuning_learning_rate=1e-3,
        evaluation_batch_size=180,
    )
)

# On two cores, real photographs of 32 x 32. In a short training rotation makes extractors agree
# where they are split early and its loss weighs more: after stage 2, with the paper's weight of 1,
# what is recombined from random weights hardly starts above chance.
PRESETS.register("cpu")(
    Settings(
        preset="cpu",
        rotation_data="cifar100",
        sources=("imagenet_resized/32x32",),
        targets=("cifar10", "stl10", "cifar100"),
        image_size=32,
        architecture="resnet8@stage1",
        training=Training(rounds=3_000, batch_size=64, learning_rate=1e-2, schedule="cosine"),
        fine_tuning_learning_rate=1e-3,
        auxiliary_weight=3.0,
        # Above that images are read as they are needed: ILSVRC-12 has more than a million.
        memory_limit_gib=1.0,
    )
)

# Sec. 5.3 and Appendix C: the rotation head from CIFAR-100, the source ILSVRC-12; ResNet-56 split
# after stage 2, Adam, learning rate 0.01 divided by ten every 5,000 of 20,000 steps, weight decay
# 1e-7, batches of 512; five epochs of fine-tuning without weight decay. The paper names no rate for
# fine-tuning: that one is ours. Not run yet: it needs a GPU.
PRESETS.register("paper")(
    Settings(
        preset="paper",
        rotation_data="cifar100",
        sources=("imagenet_resized/32x32",),
        targets=("stl10", "cifar10", "cifar100"),
        image_size=32,
        architecture="resnet56@stage2",
        training=APPENDIX_C,
        fine_tuning_learning_rate=1e-3,
        evaluation_batch_size=512,
    )
)
