"""The data sources, one file each; importing this package registers them."""

from __future__ import annotations

from keras_compat.data.sources import digits, folder, mnist5k, npz  # noqa: F401
