"""Image classification sets of TensorFlow Datasets, in memory or streamed.

Source: https://www.tensorflow.org/datasets/catalog/overview#image_classification
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_compat.data.classes import (
    check_class_count,
    check_class_names,
    look_flippable,
)
from keras_compat.data.dataset import ImageDataset
from keras_compat.data.examples import Examples
from keras_compat.data.images import check_bright, conform
from keras_compat.data.options import LARGEST_IMAGE, LoadOptions, sources
from keras_compat.data.quiet_tensorflow import (
    import_tensorflow,
    silent_loading,
    without_autotuning,
)
from keras_compat.data.sources.prepared_folder import (
    check_folder,
    check_shards,
    version_folder,
    written_names,
)
from keras_compat.data.splits import stratified_split
from keras_compat.data.streaming import StreamedExamples
from keras_compat.errors import InputError, missing_package, unknown_name

if TYPE_CHECKING:
    import tensorflow as tf

# Drawn characters in colour: a mirrored character is another one.
_CHARACTERS = ("omniglot",)
# No namespace before the name: TFDS would download code.
_SPEC = re.compile(
    r"(?P<name>[A-Za-z]\w*)(/(?P<config>[\w+-][\w+.-]*))?"
    r"(:(?P<version>(\d+|\*)(\.(\d+|\*)){2}))?"
)


def load_tfds(spec: str, options: LoadOptions) -> ImageDataset:
    """Loads a prepared data set by its TFDS name, such as `cifar10` or `imagenet_resized/32x32`.

    Without a test split, or with hidden test labels, the validation split is the test set. With a
    train split alone, the test set is a fixed stratified fifth of it.

    Args:
        spec: TFDS name, optionally with `/config` and `:version`.

    Returns:
        The data set; above the memory limit its examples are `StreamedExamples`.

    Raises:
        InputError: If the name is unknown, or the data are not prepared, or not images with one
            label each.
    """
    tfds = _import_tfds(spec)
    with _quiet():
        builder = _builder(tfds, spec, options)
        _prepare(builder, spec, options)
        try:
            return _read(tfds, builder, spec, options)
        except InputError:
            raise
        # Absent or truncated shards, records or images that differ from the metadata, ...
        except Exception as error:
            raise InputError(
                f"TFDS data set {spec!r} in {os.fspath(builder.data_dir)!r} cannot be read: "
                f"{_first_line(error)}; delete that folder and prepare it again"
            ) from error


def check_tfds(spec: str, options: LoadOptions) -> None:
    """Raises an `InputError` if TFDS has no data set of a name; no data are read."""
    tfds = _import_tfds(spec)
    with _quiet():
        _builder(tfds, spec, options)


def _read(tfds: ModuleType, builder: Any, spec: str, options: LoadOptions) -> ImageDataset:
    check_shards(builder)
    image_key, label_key = _keys(tfds, builder, spec)
    shape = _image_shape(builder.info.features[image_key], spec, options)
    names = _class_names(builder, label_key, spec)
    splits = {
        split: TfdsStream(builder, split, image_key, label_key, shape, options.memory_limit_bytes)
        for split in builder.info.splits
        if split in ("train", "test", "validation")
    }
    if "train" not in splits:
        raise InputError(
            f"TFDS data set {spec!r} has the splits {', '.join(builder.info.splits)}; "
            "expected train and test, or train and validation"
        )
    parts = _train_and_test(splits)
    held = math.prod(shape) * sum(len(labels) for *_, labels in parts)
    make = _in_memory if held <= options.memory_limit_bytes else _streamed
    train, test = (make(*part) for part in parts)
    flippable = builder.name not in _CHARACTERS and look_flippable(
        names, builder.info.features[image_key].shape[-1] == 3
    )
    return ImageDataset(spec, train, test, names, flippable)


@dataclass(frozen=True)
class TfdsStream:
    """One split of a prepared data set, the stream of `StreamedExamples`."""

    builder: Any
    split: str
    image_key: str
    label_key: str
    image_shape: tuple[int, int, int]
    memory_limit_bytes: int

    @property
    def name(self) -> str:
        """Name of the data set, version and split."""
        return f"{self.builder.info.full_name}:{self.split}"

    def labels(self) -> np.ndarray:
        """Returns all labels in the order of `encoded`, int32 `[N]`."""
        read = self._read({self.label_key: True}, {}).map(lambda row: row[self.label_key])
        batches = list(read.batch(4096).as_numpy_iterator())
        return np.concatenate([np.empty(0, np.int32), *batches]).astype(np.int32)

    def encoded(self) -> tf.data.Dataset:
        """Returns the encoded images (string scalars), always in the same order."""
        import tensorflow_datasets as tfds

        skip = {self.image_key: tfds.decode.SkipDecoding()}
        return self._read({self.image_key: True}, skip).map(lambda row: row[self.image_key])

    def decode(self, encoded: tf.Tensor) -> tf.Tensor:
        """Returns an encoded image as uint8 of `image_shape`."""
        import tensorflow as tf

        feature = self.builder.info.features[self.image_key]
        image = feature.decode_example(encoded)
        height, _, channels = self.image_shape
        if tuple(feature.shape) != self.image_shape:
            # The same resizing as of images in memory, so that streaming changes no pixel.
            image = tf.numpy_function(
                lambda array: conform(array[np.newaxis], height, channels)[0], [image], tf.uint8
            )
        return tf.ensure_shape(image, self.image_shape)

    def _read(self, features: dict[str, bool], decoders: dict[str, Any]) -> tf.data.Dataset:
        import tensorflow_datasets as tfds

        with _quiet():
            dataset = self.builder.as_dataset(
                split=self.split,
                shuffle_files=False,
                decoders=tfds.decode.PartialDecoding(features, decoders=decoders),
                read_config=tfds.ReadConfig(try_autocache=False),
            )
        return without_autotuning(dataset)


# A stream, the indices of examples in it, and their labels.
_Part = tuple[TfdsStream, np.ndarray, np.ndarray]


def _train_and_test(splits: dict[str, TfdsStream]) -> tuple[_Part, _Part]:
    train = splits["train"]
    labels = train.labels()
    for name in ("test", "validation"):
        if name in splits:
            test_labels = splits[name].labels()
            # Hidden test labels are stored as -1.
            if test_labels.min(initial=0) >= 0:
                return (
                    (train, np.arange(len(labels)), labels),
                    (splits[name], np.arange(len(test_labels)), test_labels),
                )
    for_train, for_test = stratified_split(labels, (0.8, 0.2), seed=0)
    return (train, for_train, labels[for_train]), (train, for_test, labels[for_test])


def _streamed(stream: TfdsStream, places: np.ndarray, labels: np.ndarray) -> StreamedExamples:
    images = stream.encoded().map(stream.decode).as_numpy_iterator()
    check_bright(images, f"TFDS data set {stream.name!r}")
    return StreamedExamples(stream, places, labels)


def _in_memory(stream: TfdsStream, places: np.ndarray, labels: np.ndarray) -> Examples:
    images = StreamedExamples(stream, places, labels).images
    check_bright([images], f"TFDS data set {stream.name!r}")
    return Examples(images, labels)


def _import_tfds(spec: str) -> ModuleType:
    name = re.split("[:/]", spec)[0]
    try:
        with _quiet():
            import_tensorflow()
            with silent_loading():
                import tensorflow_datasets as tfds
    except ImportError as error:
        missing = missing_package(
            error.name or "tensorflow_datasets", f"the data set {name!r} (TFDS)", "tensorflow"
        )
        raise InputError(f"{missing}; data sets without it: {', '.join(sources)}") from error
    return tfds


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hides warnings and log lines of TFDS and its imports."""
    loggers = [logging.getLogger(name) for name in ("absl", "tensorflow", "tensorflow_datasets")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _builder(tfds: ModuleType, spec: str, options: LoadOptions) -> Any:
    """Returns the builder of a data set that TFDS knows, or that is prepared in `data_dir`."""
    name = re.split("[:/]", spec)[0]
    data_dir = os.path.expanduser(options.data_dir or tfds.core.constants.DATA_DIR)
    folder = Path(data_dir, name)
    known = tfds.list_builders(with_community_datasets=False)
    if name not in known and not (name and os.path.isdir(folder)):
        near = str(unknown_name("data set", spec, (*known, *sources))).split(" Known: ")[0]
        raise InputError(
            f"{near} Known: {', '.join(sources)} and the image classification names of "
            "TensorFlow Datasets"
        )
    parts = _SPEC.fullmatch(spec)
    if not parts:
        raise InputError(
            f"data set {spec!r} is none of TensorFlow Datasets' names; "
            "expected NAME, NAME/CONFIG or NAME/CONFIG:VERSION, such as cifar10:3.0.2"
        )
    check_folder(folder)
    config, version = parts["config"], parts["version"]
    try:
        code = tfds.builder_cls(name) if name in known else None
        # A prepared version or configuration may be unknown to the code.
        if code is None or version or (config and config not in code.builder_configs):
            default = None
            if code is not None and code.BUILDER_CONFIGS:
                default = code.default_builder_config.name
            prepared = version_folder(folder, config or default, version)
            if prepared is not None:
                check_folder(prepared)
                return tfds.builder_from_directory(prepared)
        if code is not None:
            return code(data_dir=options.data_dir, config=config, version=version)
    except InputError:
        raise
    # An unknown config or version raises ValueError, AssertionError or DatasetNotFoundError.
    except Exception as error:
        raise InputError(
            f"TFDS data set {spec!r} cannot be opened: {_first_line(error)}"
        ) from error
    raise InputError(
        f"TFDS data set {spec!r} is not in {str(folder)!r}; expected a folder of that version "
        "there, with a features.json"
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _prepare(builder: Any, spec: str, options: LoadOptions) -> None:
    if builder.is_prepared():
        return
    where = os.fspath(builder.data_dir_root)
    if not options.download:
        raise InputError(
            f"TFDS data set {spec!r} is not prepared in {where!r} and downloads are off; "
            f"give --download, or prepare it with: tfds build {spec} --data_dir={where}"
        )
    try:
        builder.download_and_prepare()
    # Network, checksum, disk, licence: TFDS has an exception for each.
    except Exception as error:
        raise InputError(
            f"TFDS data set {spec!r} could not be downloaded and prepared in {where!r}: "
            f"{_first_line(error)}"
        ) from error


def _keys(tfds: ModuleType, builder: Any, spec: str) -> tuple[str, str]:
    """Returns the keys of the image and of the label in an example."""
    features = builder.info.features
    keys = builder.info.supervised_keys
    if keys is None:
        # Without supervised keys there must be exactly one image and one label.
        images = [k for k, f in features.items() if isinstance(f, tfds.features.Image)]
        labels = [k for k, f in features.items() if isinstance(f, tfds.features.ClassLabel)]
        keys = (images[0], labels[0]) if len(images) == len(labels) == 1 else ()
    if (
        len(keys) == 2
        and all(isinstance(key, str) for key in keys)
        and isinstance(features[keys[0]], tfds.features.Image)
        and isinstance(features[keys[1]], tfds.features.ClassLabel)
        and features[keys[0]].np_dtype == np.uint8
        and len(features[keys[0]].shape) == 3
        and features[keys[0]].shape[-1] in (1, 3)
    ):
        return keys
    raise InputError(
        f"TFDS data set {spec!r} holds {', '.join(features)}; expected one 8-bit image, grey or "
        "in colour, with one class label"
    )


def _image_shape(feature: Any, spec: str, options: LoadOptions) -> tuple[int, int, int]:
    height, width, channels = options.conformed_shape(feature.shape)
    if height is None or width is None:
        raise InputError(f"TFDS data set {spec!r} has images of many sizes; give an image_size")
    if not (1 <= height <= LARGEST_IMAGE and 1 <= width <= LARGEST_IMAGE):
        raise InputError(
            f"TFDS data set {spec!r} has images of {height} x {width}; "
            f"expected 1 to {LARGEST_IMAGE} pixels a side"
        )
    return (height, width, channels)


def _class_names(builder: Any, label_key: str, spec: str) -> tuple[str, ...]:
    where = f"TFDS data set {spec!r}"
    feature = builder.info.features[label_key]
    check_class_count(feature.num_classes or 0, where)  # before all names are made
    names = tuple(feature.names) if feature.num_classes else ()
    # TFDS ignores a file of names that it cannot use.
    written = written_names(Path(builder.data_dir), label_key)
    if written not in (None, names):
        raise InputError(
            f"{where} has {len(written)} class names in {label_key}.labels.txt that are not those "
            f"of its {len(names)} classes; delete that folder and prepare it again"
        )
    check_class_names(names, where)
    return names
