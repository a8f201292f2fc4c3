"""The gradient step, distribution and input of each Keras backend."""
