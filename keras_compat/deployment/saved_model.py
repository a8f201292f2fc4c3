"""What a SavedModel for servers is to hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import keras

from keras_compat.deployment.fitting import check_class_names
from keras_compat.errors import InputError


@dataclass(frozen=True)
class SavedModelExport:
    """A TensorFlow SavedModel to be written, for batches of any size.

    Its signature `serving_default` takes `images`, float32 `[batch, height, width, channels]` in
    [0, 255], and returns `{"logits": [batch, classes]}`. With class names there are two more,
    which return `scores`, float32 `[batch, classes]` that add up to 1, and `classes`, their names
    as strings of the same shape: `pixels` takes `images` as uint8, and `encoded` takes
    `image_bytes`, strings `[batch]` of JPEG or PNG files of any size, as TensorFlow Serving's
    clients send them. A file is decoded as it is: an orientation in its EXIF data is for the
    client to apply, and what is transparent keeps the colour beneath.

    Attributes:
        model: a network, such as `networks.recombine` returns.
        path: the folder to write.
        class_names: of the network's outputs; none for the first signature alone.
    """

    model: keras.Model
    path: str | Path
    class_names: Sequence[str] = ()

    format = "saved_model"
    beside: ClassVar[dict[str, Path]] = {}
    packages = ("tensorflow",)

    def request(self) -> dict:
        """Returns what the process that writes the file must know."""
        check_class_names(self.model, self.class_names, self.path)
        if self.class_names and None in self.model.input_shape[1:]:
            raise InputError(
                f"the network for {self.path} takes images of {self.model.input_shape[1:]}; "
                "expected one size, to which encoded images are brought"
            )
        return {
            "input_name": "images",
            "output_name": "logits",
            "class_names": list(self.class_names),
        }
