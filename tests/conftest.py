"""What has to be set before anything imports Keras, TensorFlow or Matplotlib."""

from __future__ import annotations

import os

from keras_compat.experiments.start_up import spread_operations

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("MPLBACKEND", "Agg")
# Tests compile much and compute little.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "true")
# As the apps do, so that what they compute in this process is the same as in one of their own.
spread_operations()
