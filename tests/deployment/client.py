"""A server's client without this package: calls each signature of a SavedModel.

`python -I client.py MODEL IMAGES ENCODED OUT`: a SavedModel, a .npy of uint8 images, a folder of
image files, and where to write what comes out.
"""

import sys
from pathlib import Path

import numpy as np


def main(model, images, encoded, out):
    """Writes what each signature returns."""
    for blocked in ("keras", "keras_compat"):
        sys.modules[blocked] = None
    import tensorflow as tf

    signatures = tf.saved_model.load(model).signatures
    images = np.load(images)
    contents = [path.read_bytes() for path in sorted(Path(encoded).iterdir())]
    found = {
        "default": signatures["serving_default"](images=tf.constant(images, "float32")),
        "pixels": signatures["pixels"](images=tf.constant(images)),
        "encoded": signatures["encoded"](image_bytes=tf.constant(contents)),
        "one": signatures["encoded"](image_bytes=tf.constant(contents[:1])),
    }
    arrays = {}
    for name, outputs in found.items():
        for key, value in outputs.items():
            value = value.numpy()
            text = key == "classes"
            arrays[f"{name}_{key}"] = np.char.decode(value.astype("S"), "utf-8") if text else value
    np.savez(out, **arrays)


if __name__ == "__main__":
    main(*sys.argv[1:])
