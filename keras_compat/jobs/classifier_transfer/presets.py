"""The presets of classifier transfer, written as the paper's appendix would."""

from __future__ import annotations

from keras_compat.jobs.classifier_transfer.config import Config, Training
from keras_compat.registry import Registry

PRESETS: Registry[Config] = Registry("preset")

# On two cores: scikit-learn's handwritten digits at 16 x 16 and small members of the three
# families, all cut where the features are 8 x 8.
PRESETS.register("demo")(
    Config(
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
        joint=Training(rounds=250, learning_rate=3e-3, schedule="cosine"),
        update=Training(rounds=60, learning_rate=3e-3, schedule="cosine"),
        bound=Training(rounds=60, learning_rate=3e-3, schedule="cosine"),
        recalibration_images=128,
    )
)
