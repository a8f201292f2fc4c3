"""Data sources, a file each; the import of this package registers them."""

from __future__ import annotations

from keras_compat.data.sources import digits, folder, npz  # noqa: F401
