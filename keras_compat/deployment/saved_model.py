"""What a SavedModel for servers is to hold."""

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

    Its signature `serving_default` takes `images`, float32 `[batch, height, width, channels]` in
    the range that the network was trained on, and returns `{"logits": [batch, classes]}`; or
    `"probabilities"`, of a network that ends in softmax or sigmoid. The signature `probabilities`
    takes the same and returns `{"probabilities": [batch, classes]}`, which softmax makes of logits;
    a network of one logit has none.

    With class names there are two more, which return these probabilities as `scores`, and
    `classes`, their names as strings of the same shape: `pixels` takes `images` as uint8, and
    `encoded`, of networks for grey or colour images, takes `image_bytes`, strings `[batch]` of JPEG
    or PNG files of any size, as TensorFlow Serving's clients send them. A file is decoded as it is:
    an orientation in its EXIF data is for the client to apply, and what is transparent keeps the
    colour beneath. Both give the network pixels from 0 to 255.

    Attributes:
        model: a network, such as `networks.recombine` returns.
        path: the folder to write.
        class_names: Names of the network's outputs; none for no `pixels` and no `encoded`.
    """

    model: keras.Model
    path: str | Path
    class_names: Sequence[str] = ()

    format = "saved_model"
    beside: ClassVar[dict[str, Path]] = {}
    packages = ("tensorflow",)

    def request(self) -> dict:
        """Returns what the process that writes the file must know."""
        check_one_input_and_output(self.model, self.path)
        check_class_names(self.model, self.class_names, self.path)
        shape = self.model.input_shape[1:]
        if len(self.class_names) and (None in shape or len(shape) != 3):
            raise InputError(
                f"the network for {self.path} takes images of {shape}; expected height, width and "
                "channels of one size, to which encoded images are brought"
            )
        return {
            "input_shape": shape,
            "input_name": "images",
            "class_names": list(self.class_names),
            **output_request(self.model, None, False, self.path),
        }
