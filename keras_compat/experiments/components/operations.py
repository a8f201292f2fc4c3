"""Operations on components: test, check, adapt, export."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_compat import data, deployment, evaluation
from keras_compat.data.options import LoadOptions
from keras_compat.data.unlabelled import load_images
from keras_compat.errors import InputError
from keras_compat.experiments.components.keeping import Unpublished, check_publishable
from keras_compat.files import check_writable
from keras_compat.networks import recombine
from keras_compat.store import Component, Reference, Store, load
from keras_compat.store.manifest import WEIGHTS, Manifest
from keras_compat.store.recombining import origin, parent_record
from keras_compat.studies.signals import verdict

_BATCH = 500
_LARGEST_IMAGE = 1024
_PARTS = ("extractor", "head", "network")
INFORMATION = "information"
"""Name of the metric on the information of a head's answers on its own extractor."""

Shape = Sequence[int | None]


@dataclass(frozen=True)
class Check:
    """Judgement of a head on an extractor, made without labels.

    Attributes:
        signals: Signals by name, see `keras_compat.evaluation.compatibility_signals`.
        images: Number of images that the signals were measured on.
        family: Number of auxiliary heads that both were trained against.
        own_information: Information of the head's answers on its own extractor, if its publisher
            measured it.
    """

    signals: Mapping[str, float]
    images: int
    family: int
    own_information: float | None = None

    @property
    def verdict(self) -> str:
        """`"works"`, `"works in part"` or `"does not work"`.

        The verdict depends on `recovered`: the share of the information of the head's answers. No
        other signal ranks pairs better, and one pair of bounds suits handwritten digits and
        photographs (study `signals` in `results/compatibility_analysis`). The images must show all
        of the head's classes. If `own_information` is not known, the verdict is cautious.
        """
        return verdict(self.signals["recovered"])


def evaluate(store: Store, reference: Reference, spec: str, options: LoadOptions) -> float:
    """Returns the accuracy of a network on the test images of a data set, from 0 to 1.

    Images are read as the network takes them; classes are compared by their names.
    """
    network = _network(store, reference)
    dataset = data.load(spec, **fitting(options, network.extractor.input_shape[1:]))
    examples, _ = evaluation.common_examples(dataset.test, dataset.class_names, network.class_names)
    statistics = store.manifest(reference).statistics
    found = evaluation.predict_logits(network.extractor, network.head, examples, _BATCH, statistics)
    return evaluation.accuracy(*found)


def check(
    store: Store, extractor: Reference, head: Reference, spec: str, count: int, options: LoadOptions
) -> Check:
    """Tells without labels whether a head of the store works on an extractor of it.

    Labels of the images are not used. The images are read as the extractor takes them.
    """
    left, right = load_parts(store, extractor, head)
    origins = [origin(store, "extractor", extractor), origin(store, "head", head)]
    if store.manifest(head).head.dense:
        raise InputError(f"{head} keeps positions; expected a head with one answer an image")
    shape = left.extractor.input_shape[1:]
    images, photographs = unlabelled(spec, count, shape, options)
    own = origins[1].metrics.get(INFORMATION)
    signals = evaluation.compatibility_signals(
        left.extractor,
        right.head,
        images,
        rotation_head=_rotation_head(store, origins[1]),
        trained_on=right.feature_statistics,
        own_information=own,
        mirror=photographs,
    )
    return Check(signals, len(images), len(origins[0].families & origins[1].families), own)


def described(head: Component, extractor: keras.Model, images: np.ndarray) -> Component:
    """Adds the feature statistics and the information of answers where a head was trained.

    Args:
        head: Component of kind `"head"`.
        extractor: Extractor that the head was trained on.
        images: Some hundred training images, uint8 `[N, height, width, channels]`.

    Returns:
        The component with feature statistics, and with the information of its answers as a metric.
    """
    told = evaluation.information(extractor, head.head, images)
    return replace(
        head,
        feature_statistics=evaluation.channel_statistics(extractor, images),
        metrics={**head.metrics, INFORMATION: told},
    )


def load_parts(store: Store, extractor: Reference, head: Reference) -> tuple[Component, Component]:
    """Loads a component with an extractor, and one with a head of classes."""
    left, right = load(store, extractor), load(store, head)
    if left.extractor is None or right.head is None or right.task is not None:
        raise InputError(f"{extractor} and {head}; expected one with an extractor, one with a head")
    return left, right


def adapt(
    store: Store,
    reference: Reference,
    new: Reference,
    spec: str,
    count: int,
    options: LoadOptions,
) -> None:
    """Publishes a network again with moving statistics, so that it takes single images.

    The name and the version are checked before images are read.
    """
    network = replace(
        _network(store, reference),
        parents=[parent_record(store, reference)],
        # Metrics were measured with other statistics.
        metrics={},
    )
    check_publishable(store, new, network)
    images, _ = unlabelled(spec, count, network.extractor.input_shape[1:], options)
    extractor, head = evaluation.recalibrate(network.extractor, network.head, images)
    with Unpublished(store, new, replace(network, extractor=extractor, head=head)) as result:
        result.publish()


@dataclass(frozen=True)
class Shipment:
    """Choice of the files that a network is written to.

    Attributes:
        formats: Some of `"saved_model"`, which is always the whole network, `"litert"`, `"onnx"`.
        parts: Some of `"extractor"`, `"head"`, `"network"`, for LiteRT and ONNX files.
        quantizations: Quantizations of LiteRT files, see `deployment.LiteRTExport`.
        uint8_input: Whether LiteRT files of 8 bits take images as uint8.
        probabilities: Whether heads and networks in LiteRT and ONNX files end in softmax.
        images: Spec of images as the network will meet them, for `"int8"`; labels are not used.
        count: Largest number of images.
    """

    formats: Sequence[str] = ("saved_model", "litert")
    parts: Sequence[str] = ("extractor", "head")
    quantizations: Sequence[str] = ("float32",)
    uint8_input: bool = False
    probabilities: bool = False
    images: str | None = None
    count: int = 500


def export(
    store: Store,
    reference: Reference,
    folder: Path,
    shipment: Shipment,
    options: LoadOptions,
    overwrite: bool,
) -> list[deployment.Exported]:
    """Writes a component for servers, desktops and phones.

    The network must have moving statistics.
    """
    network = _network(store, reference)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; expected a folder, or a free path for one")
    check_writable(folder / "saved_model")
    if store.manifest(reference).statistics != "moving":
        raise InputError(
            f"{reference} normalizes by batch statistics, which one image does not have; give it "
            "moving statistics first: adapt"
        )
    pair = (network.extractor, network.head)
    whole, names = recombine(*pair), network.class_names
    jobs: list[deployment.Export] = []
    if "saved_model" in shipment.formats:
        jobs.append(deployment.SavedModelExport(whole, folder / "saved_model", names))
    if "onnx" in shipment.formats:
        parts = {part: folder / f"{part}.onnx" for part in _PARTS}
        ends = {"class_names": names, "probabilities": shipment.probabilities}
        made = deployment.onnx_pair(*pair, parts["extractor"], parts["head"], **ends)
        made.append(deployment.ONNXExport(whole, parts["network"], **ends))
        jobs += [job for job in made if job.path.stem in shipment.parts]
    if "litert" in shipment.formats:
        images = None
        if shipment.images is not None:
            shape = network.extractor.input_shape[1:]
            images, _ = unlabelled(shipment.images, shipment.count, shape, options)
        for quantization in shipment.quantizations:
            jobs += _litert(network, whole, folder, quantization, images, shipment)
    return deployment.export(jobs, overwrite=overwrite)


def _litert(
    network: Component,
    whole: keras.Model,
    folder: Path,
    quantization: str,
    images: np.ndarray | None,
    shipment: Shipment,
) -> list[deployment.LiteRTExport]:
    """The LiteRT files of one quantization."""
    eight = quantization == "int8"
    suffix = "" if quantization == "float32" else f"_{quantization}"
    files = {part: folder / f"{part}{suffix}.tflite" for part in _PARTS}
    how: dict[str, Any] = {
        "class_names": network.class_names,
        "quantization": quantization,
        "representative": images if eight else None,
        "uint8_input": eight and shipment.uint8_input,
        "probabilities": shipment.probabilities,
    }
    pair = (network.extractor, network.head)
    made = deployment.litert_pair(*pair, files["extractor"], files["head"], **how)
    made.append(deployment.LiteRTExport(whole, files["network"], **how))
    wanted = [files[part] for part in shipment.parts]
    return [job for job in made if job.path in wanted]


def _network(store: Store, reference: Reference) -> Component:
    component = load(store, reference)
    if component.kind != "network":
        raise InputError(
            f"{reference} is of kind {component.kind}; expected a network: recombine makes one"
        )
    if component.head.output_shape[1:] != (len(component.class_names),):
        raise InputError(f"{reference} keeps positions; expected one answer an image")
    return component


def _rotation_head(store: Store, manifest: Manifest) -> keras.Model | None:
    """The rotation head that a head was trained against, if it is in the store too."""
    wanted = {record.sha256 for record in manifest.auxiliaries if record.task == "rotation"}
    for entry in store.entries():
        found = entry.manifest
        if found.task == "rotation" and found.files[WEIGHTS].sha256 in wanted:
            return load(store, entry.reference).head
    return None


def unlabelled(
    spec: str, count: int, shape: Shape, options: LoadOptions
) -> tuple[np.ndarray, bool]:
    """Returns some images without labels, and whether they may be mirrored.

    Of a labelled set the training images are taken. They are read in the shape of an extractor's.
    """
    found = load_images(spec, replace(options, **_size(shape)))
    return evaluation.some_images(found.images, count), found.flippable


def fitting(options: LoadOptions, shape: Shape) -> dict[str, object]:
    """Returns options for `data.load` by which images are of a shape that an extractor takes."""
    return {**vars(options), **_size(shape)}


def _size(shape: Shape) -> dict[str, int]:
    """The size that images are read in; a stranger's extractor may ask for any."""
    height, width, channels = shape
    if height is None or height != width or height > _LARGEST_IMAGE or channels not in (1, 3):
        raise InputError(
            f"the extractor takes images of {(height, width, channels)}; expected square ones of "
            f"{_LARGEST_IMAGE} pixels at most, grey or in colour"
        )
    return {"image_size": height, "channels": channels}
