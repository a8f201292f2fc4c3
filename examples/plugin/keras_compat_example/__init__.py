"""Registers an architecture and an auxiliary task with keras_compat."""

from keras_compat.auxiliary import AUXILIARIES, AuxiliaryEntry
from keras_compat_example import plain_cnn  # noqa: F401 - its import registers the architecture

# The task's own module is imported when the task is first used.
AUXILIARIES.register("upside_down")(
    AuxiliaryEntry(
        "keras_compat_example.upside_down:UpsideDown",
        "a shared head predicts whether an image is upside down",
        "upside_down",
    )
)
