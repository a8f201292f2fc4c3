"""What a server's clients can send to a SavedModel beside batches of float32."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

PIXELS, ENCODED = "pixels", "encoded"
# ITU-R 601, as Pillow makes grey of colour.
_GREY = (0.299, 0.587, 0.114)


def serving_signatures(
    serve: Callable[[Any], dict[str, Any]],
    shape: tuple[int | None, ...],
    class_names: Sequence[str],
) -> dict[str, Any]:
    """Returns signatures for uint8 images and for encoded ones, with scores and class names.

    Args:
        serve: images, float32 in [0, 255], to `{"logits": [batch, classes]}`.
        shape: of the images, `(None, height, width, channels)`.
        class_names: of the outputs.

    Returns:
        TensorFlow functions by the names of their signatures, see `SavedModelExport`. An input
        whose name ends in `_bytes` is one that TensorFlow Serving's REST interface decodes from
        base64.
    """
    import tensorflow as tf

    names = tf.constant(list(class_names))
    _, height, width, channels = shape

    def answer(images: Any) -> dict[str, Any]:
        scores = tf.nn.softmax(serve(images)["logits"])
        classes = tf.broadcast_to(names, tf.shape(scores))
        return {"scores": scores, "classes": classes}

    def decode(content: Any) -> Any:
        # Grey by Pillow's weights and antialiased where it shrinks, as images are for training.
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

    return {
        PIXELS: tf.function(
            pixels, input_signature=[tf.TensorSpec(shape, tf.uint8, name="images")]
        ),
        ENCODED: tf.function(
            encoded, input_signature=[tf.TensorSpec((None,), tf.string, name="image_bytes")]
        ),
    }
