"""Import paths of release 0.1 that moved to `keras_compat.experiments`, kept for one release."""
