"""Random augmentation of training images as a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from keras_compat import replica_ops
from keras_compat.errors import InputError
from keras_compat.layers.pixels import gather_pixels

if TYPE_CHECKING:
    from keras_compat.data.dataset import ImageDataset
    from keras_compat.data.unlabelled import UnlabelledImages

FILL_MODES = ("reflect", "nearest")


@keras.saving.register_keras_serializable("keras_compat")
class Augmentation(keras.layers.Layer):
    """Flips, shifts, rotates and scales each image of a batch at random.

    The layer runs inside the compiled training step, with XLA too, and needs no input pipeline;
    `benchmarks/augmentation.py` compares the two. Pixels are gathered by index, because
    `keras.ops.image.affine_transform` cannot be compiled with XLA on TensorFlow.

    Args:
        flip: Whether images are mirrored left to right with probability 1/2.
        shift: Maximum shift along each axis, in whole pixels.
        rotation: Maximum angle in either direction, in radians.
        scale: Maximum relative change of size; 0.15 is 0.85 to 1.15.
        fill_mode: Pixels beyond the edge: `"reflect"` (d c b a | a b c d | d c b a) or
            `"nearest"` (a a a a | a b c d | d d d d).
        seed: Seed of the layer's `keras.random.SeedGenerator`; `None` draws one.
        **kwargs: Arguments of `keras.layers.Layer`; the default `dtype` is float32.

    Raises:
        InputError: If an argument is out of range.

    Source: flip and padded crop as in He et al. 2016, Sec. 4.2 (https://arxiv.org/abs/1512.03385),
    with reflection instead of zeros.

    Example:

    >>> augment = Augmentation(flip=True, shift=4, seed=0)
    >>> import numpy as np
    >>> images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3)).astype("uint8")
    >>> augmented = augment(images, training=True)
    >>> tuple(augmented.shape), bool(ops.all(augment(images, training=False) == images))
    ((8, 32, 32, 3), True)
    """

    def __init__(
        self,
        flip: bool = False,
        shift: int = 0,
        rotation: float = 0.0,
        scale: float = 0.0,
        fill_mode: str = "reflect",
        seed: int | None = None,
        **kwargs: Any,
    ):
        # Half precision cannot represent 256 grey values and positions between pixels.
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        if shift < 0 or shift != int(shift):
            raise InputError(f"shift is {shift}; expected a whole number of pixels, 0 or more")
        if rotation < 0:
            raise InputError(f"rotation is {rotation}; expected radians, 0 or more")
        if not 0 <= scale < 1:
            raise InputError(f"scale is {scale}; expected 0 or more and below 1")
        if fill_mode not in FILL_MODES:
            raise InputError(f"fill_mode is {fill_mode!r}; expected one of {FILL_MODES}")
        self.flip = flip
        self.shift = int(shift)
        self.rotation = rotation
        self.scale = scale
        self.fill_mode = fill_mode
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True  # it has no weights

    @classmethod
    def for_photographs(cls, seed: int | None = None, image_size: int = 32) -> Augmentation:
        """Returns flips and shifts of an eighth of the image: 4 pixels at 32 x 32."""
        return cls(flip=True, shift=max(1, round(image_size / 8)), seed=seed)

    @classmethod
    def for_digits(cls, seed: int | None = None, image_size: int = 16) -> Augmentation:
        """Returns shifts (2 pixels at 16 x 16), rotation and scaling, without flips."""
        return cls(
            shift=max(1, round(image_size / 8)),
            rotation=0.2,
            scale=0.15,
            fill_mode="nearest",
            seed=seed,
        )

    @classmethod
    def for_dataset(
        cls, dataset: ImageDataset | UnlabelledImages, seed: int | None = None
    ) -> Augmentation:
        """Returns the preset for a data set, by `ImageDataset.flippable` and image size."""
        preset = cls.for_photographs if dataset.flippable else cls.for_digits
        return preset(seed, min(dataset.image_shape[:2]))

    def call(self, images: Any, training: bool = True) -> Any:
        """Augments a batch.

        Args:
            images: Images, uint8 or float `[B, H, W, C]`, of any range.
            training: `False` returns the images unchanged.

        Returns:
            Images of the layer's dtype (float32), `[B, H, W, C]`, in the range of the input.
        """
        if not training or not (self.flip or self.shift or self.rotation or self.scale):
            return ops.cast(images, self.compute_dtype)
        if self.rotation or self.scale:
            return self._sample_between_pixels(images)
        return self._sample_pixels(images)

    def compute_output_spec(self, images: Any, training: bool = True) -> keras.KerasTensor:
        """Returns the shape of the input with the layer's dtype."""
        return keras.KerasTensor(images.shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        names = ("flip", "shift", "rotation", "scale", "fill_mode", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def _sample_pixels(self, images: Any) -> Any:
        """Moves images by whole pixels: rows and columns are selected, and no value changes."""
        batch, height, width, _ = ops.shape(images)
        rows = ops.reshape(ops.arange(height, dtype="int32"), (1, height)) + self._shifts(batch)
        columns = ops.reshape(ops.arange(width, dtype="int32"), (1, width))
        columns = ops.where(self._flips(batch), width - 1 - columns, columns) + self._shifts(batch)
        index = self._index(rows, height)[:, :, None] * width
        index = index + self._index(columns, width)[:, None, :]
        return ops.cast(gather_pixels(images, index), self.compute_dtype)

    def _sample_between_pixels(self, images: Any) -> Any:
        """Transforms images with bilinear interpolation among four pixels."""
        batch, height, width, _ = ops.shape(images)
        angle = self._uniform((batch, 1, 1), self.rotation)
        zoom = 1 / (1 + self._uniform((batch, 1, 1), self.scale))
        cosine, sine = ops.cos(angle) * zoom, ops.sin(angle) * zoom
        # The origin of the coordinates is the centre of the image.
        y = ops.reshape(ops.arange(height, dtype="float32") - (height - 1) / 2, (1, height, 1))
        x = ops.reshape(ops.arange(width, dtype="float32") - (width - 1) / 2, (1, 1, width))
        x = ops.where(self._flips(batch)[:, :, None], -x, x)
        from_y = cosine * y - sine * x + (height - 1) / 2
        from_x = sine * y + cosine * x + (width - 1) / 2
        from_y = from_y + ops.cast(self._shifts(batch), "float32")[:, :, None]
        from_x = from_x + ops.cast(self._shifts(batch), "float32")[:, :, None]
        top, left = ops.floor(from_y), ops.floor(from_x)
        down = ops.cast(from_y - top, self.compute_dtype)[..., None]
        right = ops.cast(from_x - left, self.compute_dtype)[..., None]
        top, left = ops.cast(top, "int32"), ops.cast(left, "int32")
        rows = [self._index(top + i, height) * width for i in (0, 1)]
        columns = [self._index(left + i, width) for i in (0, 1)]

        def row(start: Any) -> Any:
            near, far = (
                ops.cast(gather_pixels(images, start + column), self.compute_dtype)
                for column in columns
            )
            return near + (far - near) * right

        above, below = row(rows[0]), row(rows[1])
        return above + (below - above) * down

    def _index(self, place: Any, size: int) -> Any:
        """Maps positions on an axis, within the image or beyond, to indices within the image."""
        if self.fill_mode == "reflect":
            place = ops.mod(place, 2 * size)
            return ops.minimum(place, 2 * size - 1 - place)
        return ops.clip(place, 0, size - 1)

    def _flips(self, batch: int) -> Any:
        """Returns bool `[B, 1]`."""
        if not self.flip:
            return ops.zeros((batch, 1), dtype="bool")
        uniform = replica_ops.drawn(
            lambda shape: keras.random.uniform(shape, seed=self.seed_generator), (batch, 1)
        )
        return uniform < 0.5

    def _shifts(self, batch: int) -> Any:
        """Returns int32 `[B, 1]`, uniform over the 2 `shift` + 1 values."""
        if not self.shift:
            return ops.zeros((batch, 1), dtype="int32")
        most = self.shift
        return replica_ops.drawn(
            lambda shape: keras.random.randint(
                shape, -most, most + 1, dtype="int32", seed=self.seed_generator
            ),
            (batch, 1),
        )

    def _uniform(self, shape: tuple[int, ...], most: float) -> Any:
        """Returns float32 in [-most, most)."""
        if not most:
            return ops.zeros(shape, dtype="float32")
        return replica_ops.drawn(
            lambda whole: keras.random.uniform(
                whole, -most, most, dtype="float32", seed=self.seed_generator
            ),
            shape,
        )
