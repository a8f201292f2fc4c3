"""Presets of domain adaptation, as the paper's appendix writes them."""

from __future__ import annotations

from keras_compat.experiments.domain_adaptation.settings import Settings
from keras_compat.experiments.settings import TrainingSettings as Training
from keras_compat.registry import Registry

PRESETS: Registry[Settings] = Registry("preset")

_DEMO = Training(rounds=300, batch_size=64, learning_rate=1e-2, schedule="cosine")
_CPU = Training(rounds=3_000, batch_size=64, learning_rate=1e-2, schedule="cosine")
_PAPER = Training(
    rounds=70_000,
    batch_size=64,
    learning_rate=1e-2,
    drops=(20_000, 40_000, 60_000),
    # 5e-4 in the gradient, which momentum 0.9 makes ten times as much; Keras' is beside it.
    weight_decay=5e-3,
    optimizer="sgd",
)

# On two cores: two sets of real handwritten digits at 16 x 16.
PRESETS.register("demo")(
    Settings(
        preset="demo",
        source="mnist5k",
        target="digits",
        image_size=16,
        architecture="wide_resnet10@stage2",
        training=_DEMO,
        rotation_training=_DEMO,
        adaptation=Training(rounds=200, batch_size=64, learning_rate=1e-4),
        learning_rates=(1e-3,),
        layers=("all", "normalization"),
        checkpoints=5,
        evaluation_batch_size=180,
    )
)

# On two cores, real photographs of 32 x 32.
PRESETS.register("cpu")(
    Settings(
        preset="cpu",
        source="cifar10",
        target="stl10",
        image_size=32,
        architecture="wide_resnet10@stage2",
        training=_CPU,
        rotation_training=_CPU,
        adaptation=Training(rounds=400, batch_size=64, learning_rate=1e-4),
        learning_rates=(1e-3,),
        layers=("all", "normalization"),
    )
)

# Sec. 5.1 and Appendix C: WRN-28 of width 16 in 3 stages of 4 blocks, SGD with momentum, learning
# rate 0.01, weight decay 5e-4, batches of 64, 70,000 steps, the rate divided by ten every 20,000;
# then 1,000 steps on the target at the last of these rates, 1e-5, without weight decay. The split
# after stage 2 is that of the paper's other ResNets. The rotation head learns on ILSVRC-12 first,
# as long as the source network: the paper says nothing of it. Not run yet: it needs a GPU.
PRESETS.register("paper")(
    Settings(
        preset="paper",
        source="cifar10",
        target="stl10",
        image_size=32,
        architecture="wide_resnet:depth=28,width=16@stage2",
        training=_PAPER,
        rotation_init="imagenet_resized/32x32",
        rotation_training=_PAPER,
        adaptation=Training(rounds=1_000, batch_size=64, learning_rate=1e-5, optimizer="sgd"),
        learning_rates=(1e-4,),
        layers=("all", "normalization"),
    )
)
