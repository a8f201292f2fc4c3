"""The one place that chooses what differs between TensorFlow and JAX in training.

`BackendStep` is the gradient step, `make_distribution` makes a `Distribution` by its name,
`start_trace` begins a profile, and `fastest` returns the fastest form of an optimizer.
"""

import keras

from keras_compat.errors import InputError

if keras.backend.backend() == "tensorflow":
    from keras_compat.training.backend.tensorflow.distribution import make_distribution
    from keras_compat.training.backend.tensorflow.fused_adam import fastest
    from keras_compat.training.backend.tensorflow.profile import start_trace
    from keras_compat.training.backend.tensorflow.step import BackendStep
elif keras.backend.backend() == "jax":
    from keras_compat.training.backend.jax.distribution import make_distribution
    from keras_compat.training.backend.jax.profile import start_trace
    from keras_compat.training.backend.jax.step import BackendStep, fastest
else:
    raise InputError(
        f"KERAS_BACKEND is {keras.backend.backend()!r}; expected 'tensorflow' or 'jax'"
    )

__all__ = ["BackendStep", "fastest", "make_distribution", "start_trace"]
