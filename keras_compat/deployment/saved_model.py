"""Jobs that write SavedModels for servers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import keras

from keras_compat.deployment.export_requirements import (
    check_class_names,
    check_one_input_and_output,
    output_request,
)
from keras_compat.errors import InputError


@dataclass(frozen=True)
class SavedModelExport:
    """A TensorFlow SavedModel to be written, for batches of any size.

    Signatures:

    - `serving_default` takes `images`, float32 `[batch, height, width, channels]` in the range that
      the network was trained on, and returns `{"logits": [batch, classes]}`, or `"probabilities"`
      for a network that ends in softmax or sigmoid.
    - `probabilities` takes the same and returns `{"probabilities": [batch, classes]}`, with softmax
      added to logits. A network of one logit has no such signature.
    - With class names, `pixels` takes `images` as uint8 from 0 to 255.
    - With class names, `encoded` takes `image_bytes`, strings `[batch]` of JPEG or PNG files of any
      size, as TensorFlow Serving's clients send them; for networks of grey or colour images. The
      client must apply an orientation in EXIF data; transparent pixels keep their colour.

    `pixels` and `encoded` return the probabilities as `scores`, and `classes`, the class names as
    strings of the same shape.

    Attributes:
        model: Network, such as `networks.recombine` returns.
        class_names: Names of the network's outputs; none for no `pixels` and no `encoded`.
    """

    model: keras.Model
    path: str | Path
    class_names: Sequence[str] = ()

    format = "saved_model"
    beside: ClassVar[dict[str, Path]] = {}
    packages = ("tensorflow",)

    def request(self) -> dict:
        """Returns the request for the process that writes the file."""
        check_one_input_and_output(self.model, self.path)
        check_class_names(self.model, self.class_names, self.path)
        shape = self.model.input_shape[1:]
        if len(self.class_names) and (None in shape or len(shape) != 3):
            raise InputError(
                f"the network for {self.path} takes images of {shape}; expected a fixed height "
                "and width, to which encoded images are resized"
            )
        return {
            "input_shape": shape,
            "input_name": "images",
            "class_names": list(self.class_names),
            **output_request(self.model, None, False, self.path),
        }
