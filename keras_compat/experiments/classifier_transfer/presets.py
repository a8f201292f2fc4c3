"""Presets of classifier transfer, as the paper's appendix writes them."""

from __future__ import annotations

from keras_compat.experiments.classifier_transfer.settings import Settings
from keras_compat.experiments.settings import APPENDIX_C
from keras_compat.experiments.settings import TrainingSettings as Training
from keras_compat.registry import Registry

PRESETS: Registry[Settings] = Registry("preset")

_CPU = Training(rounds=4_500, batch_size=64, learning_rate=1e-2, schedule="cosine")

# On two cores, a few minutes a seed: scikit-learn's handwritten digits at 16 x 16 and
# small members of the three families, all cut where the features are 8 x 8. To expect: 94 to 98 %
# with the updated head on the two extractors that it was not trained on, of which the figures are
# in results/classifier_transfer/demo-digits.json.
PRESETS.register("demo")(
    Settings(
        preset="demo",
        dataset="digits",
        image_size=16,
        initial_classes="5",
        extractors={
            "resnet": "resnet8@stage2",
            "wide_resnet": "wide_resnet10@stage2",
            "mobilenet_v2": "mobilenet_v2_small@block2",
        },
        head="mobilenet_v2_small@block2",
        reference="wide_resnet",
        joint=Training(rounds=400, batch_size=64, learning_rate=1e-2, schedule="cosine"),
        update=Training(rounds=150, batch_size=128, learning_rate=1e-2, schedule="cosine"),
        bound=Training(rounds=200, batch_size=64, learning_rate=1e-2, schedule="cosine"),
        maintain=("extractor", "rotation"),
        recalibration_images=128,
    )
)

# On two cores, real photographs of 32 x 32: members of the three families that train in about an
# hour without upper bounds and in two with both, cut where the features are 16 x 16. To expect:
# 80 % with the updated head on every extractor, one or two points below networks trained alone, of
# which the figures are in results/classifier_transfer/cpu-cifar10.json.
PRESETS.register("cpu")(
    Settings(
        preset="cpu",
        dataset="cifar10",
        image_size=32,
        initial_classes="5",
        extractors={
            "resnet": "resnet:depth=14@stage2",
            "wide_resnet": "wide_resnet:depth=16,width=2@stage2",
            "mobilenet_v2": "mobilenet_v2_small@block2",
        },
        head="mobilenet_v2_small@block2",
        reference="wide_resnet",
        maintain=("extractor", "rotation"),
        upper_bounds="all",
        joint=_CPU,
        update=Training(rounds=1_000, batch_size=128, learning_rate=1e-2, schedule="cosine"),
        bound=_CPU,
        recalibration_images=1024,
    )
)

# Appendix C and Sec. 5.2: Adam, learning rate 0.01 divided by ten every 5,000 of 20,000 steps,
# weight decay 1e-7, batches of 512; no weight decay when fine-tuning. MobileNetV2 is cut after
# block 11 of 17 and lends the head its later blocks; the cut of the ResNets (after stage 2), the
# width of the Wide ResNet (2) and the length of fine-tuning are ours: the paper names none.
# The rotation head of the first stage is what Appendix B.7 adds. Not run yet: it needs a GPU. The
# paper's figures: 91.7 and 91.6 % recombined, upper bounds 94.6 and 93.3 %.
PRESETS.register("paper")(
    Settings(
        preset="paper",
        dataset="cifar10",
        image_size=32,
        initial_classes="5",
        extractors={
            "resnet": "resnet56@stage2",
            "wide_resnet": "wide_resnet56@stage2",
            "mobilenet_v2": "mobilenet_v2@block11",
        },
        head="mobilenet_v2@block11",
        reference="wide_resnet",
        maintain=("extractor", "rotation"),
        upper_bounds="all",
        joint=APPENDIX_C,
        update=Training(rounds=5_000, batch_size=512, learning_rate=1e-3, drops=(2_500, 3_750)),
        bound=APPENDIX_C,
        recalibration_images=1024,
    )
)
