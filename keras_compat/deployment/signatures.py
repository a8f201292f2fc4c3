"""Signatures of a SavedModel beside `serving_default`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from keras_compat.deployment.export_requirements import PROBABILITIES

PIXELS, ENCODED = "pixels", "encoded"
_FILE_CHANNELS = (1, 3)
# ITU-R 601, with which Pillow converts colour to grey.
_GREY = (0.299, 0.587, 0.114)


def serving_signatures(
    serve: Callable[[Any], dict[str, Any]],
    shape: tuple[int | None, ...],
    values: str,
    class_names: Sequence[str] = (),
) -> dict[str, Any]:
    """Returns signatures for probabilities and, with class names, for uint8 and encoded images.

    Args:
        serve: Function of float32 images that returns a dict of one tensor `[batch, classes]`.
        shape: Shape of the images, `(None, height, width, channels)`.
        values: Kind of the outputs of `serve`: `"logits"` or `"probabilities"`.

    Returns:
        TensorFlow functions by signature name, see `SavedModelExport`. TensorFlow Serving's REST
        interface decodes inputs whose name ends in `_bytes` from base64.
    """
    import tensorflow as tf

    def scores(images: Any) -> Any:
        (emitted,) = serve(images).values()
        return emitted if values == PROBABILITIES else tf.nn.softmax(emitted)

    def probabilities(images: Any) -> dict[str, Any]:
        return {PROBABILITIES: scores(images)}

    def takes(function: Callable[[Any], Any], name: str, of: tuple, dtype: Any) -> Any:
        return tf.function(function, input_signature=[tf.TensorSpec(of, dtype, name=name)])

    found = {PROBABILITIES: takes(probabilities, "images", shape, tf.float32)}
    if not class_names:
        return found
    names = tf.constant(list(class_names))
    _, height, width, channels = shape

    def answer(images: Any) -> dict[str, Any]:
        found = scores(images)
        return {"scores": found, "classes": tf.broadcast_to(names, tf.shape(found))}

    def decode(content: Any) -> Any:
        # Grey by Pillow's weights and antialiased where it shrinks, as in training.
        image = tf.io.decode_image(content, channels=3, expand_animations=False)
        image = tf.cast(image, "float32")
        if channels == 1:
            image = tf.round(tf.reduce_sum(image * _GREY, axis=-1, keepdims=True))
        resized = tf.image.resize(image, (height, width), antialias=True)
        return tf.ensure_shape(tf.round(resized), (height, width, channels))

    def pixels(images: Any) -> dict[str, Any]:
        return answer(tf.cast(images, "float32"))

    def encoded(image_bytes: Any) -> dict[str, Any]:
        images = tf.map_fn(decode, image_bytes, fn_output_signature="float32")
        return answer(images)

    found[PIXELS] = takes(pixels, "images", shape, tf.uint8)
    if channels in _FILE_CHANNELS:
        found[ENCODED] = takes(encoded, "image_bytes", (None,), tf.string)
    return found
