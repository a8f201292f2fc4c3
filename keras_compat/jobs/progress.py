"""`RoundsBar` by its import path of release 0.1; see `keras_compat.experiments.runner.terminal`."""

from keras_compat.experiments.runner.terminal import RoundsBar

__all__ = ["RoundsBar"]
