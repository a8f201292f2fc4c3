"""Training on TensorFlow."""
